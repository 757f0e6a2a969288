-- severity warn, after incidents_hourly
select distinct severity as value
from `some-project`.`prod_data`.`incidents_hourly`
where severity not in ('Minor', 'Major')
