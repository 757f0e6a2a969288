-- severity warn, after stg_train_arrivals
select direction as value_field, count(*) as n_records
from `some-project`.`prod_data`.`stg_train_arrivals`
where direction not in ('North', 'South', 'East', 'West')
group by direction
