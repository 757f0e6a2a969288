-- severity error, after recent_disturbances
select kind as value_field, count(*) as n_records
from `some-project`.`prod_data`.`recent_disturbances`
where kind not in ('incident', 'equipment failure')
group by kind
