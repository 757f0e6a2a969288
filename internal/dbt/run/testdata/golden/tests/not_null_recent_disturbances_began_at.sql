-- severity error, after recent_disturbances
select *
from `some-project`.`prod_data`.`recent_disturbances`
where began_at is null
