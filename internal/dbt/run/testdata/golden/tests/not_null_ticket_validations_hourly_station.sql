-- severity error, after ticket_validations_hourly
select *
from `some-project`.`prod_data`.`ticket_validations_hourly`
where station is null
