-- severity error, after passenger_flow_dashboard
select period as value_field, count(*) as n_records
from `some-project`.`prod_data`.`passenger_flow_dashboard`
where period not in ('all', 'today')
group by period
