-- severity error, after recent_disturbances
select distinct kind as value
from `some-project`.`prod_data`.`recent_disturbances`
where kind not in ('incident', 'equipment failure')
