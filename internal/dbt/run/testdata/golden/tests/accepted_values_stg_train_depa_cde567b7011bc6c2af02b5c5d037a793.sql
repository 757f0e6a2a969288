-- severity warn, after stg_train_departures
select distinct direction as value
from `some-project`.`prod_data`.`stg_train_departures`
where direction not in ('North', 'South', 'East', 'West')
