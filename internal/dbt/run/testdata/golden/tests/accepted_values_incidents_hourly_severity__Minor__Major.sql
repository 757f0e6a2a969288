-- severity warn, after incidents_hourly
select severity as value_field, count(*) as n_records
from `some-project`.`prod_data`.`incidents_hourly`
where severity not in ('Minor', 'Major')
group by severity
