-- severity error, after incident_dashboard
select *
from `some-project`.`prod_data`.`incident_dashboard`
where metric_name is null
