-- severity error, after ticket_dashboard
select to_json_string(struct(period, metric_name, dimension, dimension_value)) as value
from `some-project`.`prod_data`.`ticket_dashboard`
where to_json_string(struct(period, metric_name, dimension, dimension_value)) is not null
group by 1
having count(*) > 1
