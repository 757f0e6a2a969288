-- severity error, after train_movements_hourly
select *
from `some-project`.`prod_data`.`train_movements_hourly`
where station is null
