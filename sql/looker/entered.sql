-- Passengers by hour and station, and with them the same hour of the day before
-- and the week before. Looker Studio fills in the days of its date control.
select
    date_add(local_date, interval days_later day) as local_date,
    extract(hour from local_hour) as hour,
    station,
    sum(if(days_later = 0, passengers_entered, null)) as passengers_entered,
    sum(if(days_later = 0, passengers_exited, null)) as passengers_exited,
    sum(if(days_later = 1, passengers_entered, null)) as entered_the_day_before,
    sum(if(days_later = 7, passengers_entered, null)) as entered_the_week_before
from prod_data.passenger_flow_hourly
cross join unnest([0, 1, 7]) as days_later
where local_date between date_sub(parse_date('%Y%m%d', @DS_START_DATE), interval 7 day) and parse_date('%Y%m%d', @DS_END_DATE)
    and date_add(local_date, interval days_later day) between parse_date('%Y%m%d', @DS_START_DATE) and parse_date('%Y%m%d', @DS_END_DATE)
group by 1, 2, 3
