-- severity error, after ticket_dashboard
select period as value_field, count(*) as n_records
from `some-project`.`prod_data`.`ticket_dashboard`
where period not in ('all', 'today')
group by period
