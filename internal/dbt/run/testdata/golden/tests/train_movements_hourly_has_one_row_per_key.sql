-- severity error, after train_movements_hourly
select local_hour, station
from `some-project`.`prod_data`.`train_movements_hourly`
group by local_hour, station
having count(*) > 1
