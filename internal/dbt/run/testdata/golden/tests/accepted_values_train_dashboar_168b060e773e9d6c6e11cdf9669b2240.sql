-- severity error, after train_dashboard
select distinct unit as value
from `some-project`.`prod_data`.`train_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
