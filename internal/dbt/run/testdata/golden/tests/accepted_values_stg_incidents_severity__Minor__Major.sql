-- severity warn, after stg_incidents
select distinct severity as value
from `some-project`.`prod_data`.`stg_incidents`
where severity not in ('Minor', 'Major')
