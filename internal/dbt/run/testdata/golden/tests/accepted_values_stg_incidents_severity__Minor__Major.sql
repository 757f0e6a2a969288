-- severity warn, after stg_incidents
select severity as value_field, count(*) as n_records
from `some-project`.`prod_data`.`stg_incidents`
where severity not in ('Minor', 'Major')
group by severity
