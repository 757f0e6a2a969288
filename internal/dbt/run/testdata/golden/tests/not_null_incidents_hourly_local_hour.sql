-- severity error, after incidents_hourly
select *
from `some-project`.`prod_data`.`incidents_hourly`
where local_hour is null
