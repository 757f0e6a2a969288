-- severity error, after train_dashboard, train_movements_hourly
select dimension_value as from_field
from (select * from `some-project`.`prod_data`.`train_dashboard` where dimension = 'station') dbt_subquery
where dimension_value is not null
    and dimension_value not in (select station from `some-project`.`prod_data`.`train_movements_hourly` where station is not null)
