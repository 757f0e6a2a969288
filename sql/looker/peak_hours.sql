-- Means by weekday and hour of complete days: a day that has figures counts in
-- each of its hours, also where nobody came.
with hours as (
    select
        local_date,
        extract(hour from local_hour) as hour,
        station,
        sum(passengers_entered) as entered
    from prod_data.passenger_flow_hourly
    where local_date between parse_date('%Y%m%d', @DS_START_DATE) and parse_date('%Y%m%d', @DS_END_DATE)
        and local_date < (select max(local_date) from prod_data.passenger_flow_hourly)
    group by 1, 2, 3
),

days as (
    select
        format_date('%u %A', local_date) as weekday,
        count(distinct local_date) as day_count
    from hours
    group by 1
)

select
    weekday,
    hour,
    station,
    sum(entered) / any_value(day_count) as mean_entered
from (
    select
        format_date('%u %A', local_date) as weekday,
        hour,
        station,
        entered
    from hours
)
join days using (weekday)
group by 1, 2, 3
