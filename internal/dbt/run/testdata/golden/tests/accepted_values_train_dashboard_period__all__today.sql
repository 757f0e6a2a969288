-- severity error, after train_dashboard
select distinct period as value
from `some-project`.`prod_data`.`train_dashboard`
where period not in ('all', 'today')
