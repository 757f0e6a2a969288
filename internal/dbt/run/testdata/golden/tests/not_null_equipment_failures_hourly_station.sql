-- severity error, after equipment_failures_hourly
select *
from `some-project`.`prod_data`.`equipment_failures_hourly`
where station is null
