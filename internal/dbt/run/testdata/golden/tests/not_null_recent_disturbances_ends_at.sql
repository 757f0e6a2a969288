-- severity error, after recent_disturbances
select *
from `some-project`.`prod_data`.`recent_disturbances`
where ends_at is null
