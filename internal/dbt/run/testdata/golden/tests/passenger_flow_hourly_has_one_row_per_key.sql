-- severity error, after passenger_flow_hourly
select local_hour, station
from `some-project`.`prod_data`.`passenger_flow_hourly`
group by local_hour, station
having count(*) > 1
