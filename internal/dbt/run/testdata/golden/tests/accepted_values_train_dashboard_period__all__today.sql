-- severity error, after train_dashboard
select period as value_field, count(*) as n_records
from `some-project`.`prod_data`.`train_dashboard`
where period not in ('all', 'today')
group by period
