-- severity error, after equipment_failures_hourly
-- A row stands for at least one failure, each with a duration.
select *
from `some-project`.`prod_data`.`equipment_failures_hourly`
where equipment_failures < 1 or duration_minutes is null or duration_minutes < 0
    or local_date != date(local_hour)
