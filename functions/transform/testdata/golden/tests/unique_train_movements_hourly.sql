-- severity error, after train_movements_hourly
select concat(cast(local_hour as string), ' ', station) as value
from `some-project`.`prod_data`.`train_movements_hourly`
where concat(cast(local_hour as string), ' ', station) is not null
group by 1
having count(*) > 1
