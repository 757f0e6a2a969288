-- severity warn, after stg_train_departures
select direction as value_field, count(*) as n_records
from `some-project`.`prod_data`.`stg_train_departures`
where direction not in ('North', 'South', 'East', 'West')
group by direction
