-- severity warn, after stg_train_arrivals
select distinct direction as value
from `some-project`.`prod_data`.`stg_train_arrivals`
where direction not in ('North', 'South', 'East', 'West')
