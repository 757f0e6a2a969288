-- severity error, after train_punctuality_hourly
select *
from `some-project`.`prod_data`.`train_punctuality_hourly`
where local_hour is null
