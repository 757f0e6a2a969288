-- severity error, after ticket_validations_hourly
select concat(cast(local_hour as string), ' ', station) as value
from `some-project`.`prod_data`.`ticket_validations_hourly`
where concat(cast(local_hour as string), ' ', station) is not null
group by 1
having count(*) > 1
