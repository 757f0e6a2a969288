-- severity error, after train_punctuality_hourly
select *
from `some-project`.`prod_data`.`train_punctuality_hourly`
where station is null
