with movements as (
    select
        local_date,
        local_hour,
        station,
        train_arrivals,
        0 as train_departures,
        scheduled_arrivals,
        arrivals_on_time,
        minutes_late,
        arriving_passengers,
        cast(null as float64) as departing_passengers
    from {{ ref('int_train_arrivals_hourly') }}
    union all
    select
        local_date,
        local_hour,
        station,
        0,
        train_departures,
        0,
        0,
        cast(null as float64),
        cast(null as float64),
        departing_passengers
    from {{ ref('int_train_departures_hourly') }}
)

select
    local_date,
    local_hour,
    station,
    sum(train_arrivals) as train_arrivals,
    sum(train_departures) as train_departures,
    sum(scheduled_arrivals) as scheduled_arrivals,
    sum(arrivals_on_time) as arrivals_on_time,
    sum(scheduled_arrivals) - sum(arrivals_on_time) as arrivals_late,
    sum(minutes_late) as minutes_late,
    sum(arriving_passengers) as arriving_passengers,
    sum(departing_passengers) as departing_passengers
from movements
group by 1, 2, 3
