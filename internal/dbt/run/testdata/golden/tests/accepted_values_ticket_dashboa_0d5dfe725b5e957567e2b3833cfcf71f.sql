-- severity error, after ticket_dashboard
select unit as value_field, count(*) as n_records
from `some-project`.`prod_data`.`ticket_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
group by unit
