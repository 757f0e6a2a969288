-- severity error, after equipment_failures_hourly
select local_hour, station, zone, equipment
from `some-project`.`prod_data`.`equipment_failures_hourly`
group by local_hour, station, zone, equipment
having count(*) > 1
