-- severity error, after incidents_hourly
-- A row stands for at least one incident, each with a duration.
select *
from `some-project`.`prod_data`.`incidents_hourly`
where incidents < 1 or duration_minutes is null or duration_minutes < 0
    or local_date != date(local_hour)
