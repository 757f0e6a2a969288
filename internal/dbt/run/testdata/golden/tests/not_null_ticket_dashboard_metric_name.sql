-- severity error, after ticket_dashboard
select *
from `some-project`.`prod_data`.`ticket_dashboard`
where metric_name is null
