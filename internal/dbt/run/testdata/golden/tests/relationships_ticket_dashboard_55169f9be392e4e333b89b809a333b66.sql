-- severity error, after ticket_dashboard, ticket_validations_hourly
select dimension_value as from_field
from (select * from `some-project`.`prod_data`.`ticket_dashboard` where dimension = 'station') dbt_subquery
where dimension_value is not null
    and dimension_value not in (select station from `some-project`.`prod_data`.`ticket_validations_hourly` where station is not null)
