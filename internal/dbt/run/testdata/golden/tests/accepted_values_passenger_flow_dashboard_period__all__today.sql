-- severity error, after passenger_flow_dashboard
select distinct period as value
from `some-project`.`prod_data`.`passenger_flow_dashboard`
where period not in ('all', 'today')
