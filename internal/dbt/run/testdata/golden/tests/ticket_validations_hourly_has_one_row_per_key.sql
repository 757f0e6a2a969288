-- severity error, after ticket_validations_hourly
select local_hour, station
from `some-project`.`prod_data`.`ticket_validations_hourly`
group by local_hour, station
having count(*) > 1
