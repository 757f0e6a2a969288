-- severity error, after passenger_flow_dashboard, passenger_flow_hourly
select dimension_value as from_field
from (select * from `some-project`.`prod_data`.`passenger_flow_dashboard` where dimension = 'station') dbt_subquery
where dimension_value is not null
    and dimension_value not in (select station from `some-project`.`prod_data`.`passenger_flow_hourly` where station is not null)
