-- severity error, after equipment_failure_dashboard, equipment_failures_hourly
select dimension_value as from_field
from (select * from `some-project`.`prod_data`.`equipment_failure_dashboard` where dimension = 'zone') dbt_subquery
where dimension_value is not null
    and dimension_value not in (select zone from `some-project`.`prod_data`.`equipment_failures_hourly` where zone is not null)
