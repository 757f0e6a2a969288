-- severity error, after incidents_hourly
select *
from `some-project`.`prod_data`.`incidents_hourly`
where station is null
