-- severity error, after ticket_dashboard
select distinct period as value
from `some-project`.`prod_data`.`ticket_dashboard`
where period not in ('all', 'today')
