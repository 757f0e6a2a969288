-- severity error, after train_punctuality_hourly
select local_hour, station, direction, train_number
from `some-project`.`prod_data`.`train_punctuality_hourly`
group by local_hour, station, direction, train_number
having count(*) > 1
