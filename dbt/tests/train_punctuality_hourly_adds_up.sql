-- A row stands for at least one arrival; a scheduled one is on time or late,
-- and late only where it names its train.
select *
from {{ ref('train_punctuality_hourly') }}
where train_arrivals < 1
    or scheduled_arrivals > train_arrivals
    or arrivals_late < 0
    or (train_number is not null and arrivals_late != train_arrivals)
    or (minutes_late is null) != (scheduled_arrivals = 0)
    or local_date != date(local_hour)
