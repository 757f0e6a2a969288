-- severity error, after ticket_validations_hourly
select *
from `some-project`.`prod_data`.`ticket_validations_hourly`
where local_hour is null
