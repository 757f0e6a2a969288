-- severity error, after passenger_flow_hourly
select *
from `some-project`.`prod_data`.`passenger_flow_hourly`
where station is null
