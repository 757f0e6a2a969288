-- severity error, after incident_dashboard
select distinct period as value
from `some-project`.`prod_data`.`incident_dashboard`
where period not in ('all', 'today')
