select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    direction,
    sum(train_arrivals) as arrivals,
    sum(scheduled_arrivals) as scheduled,
    sum(arrivals_on_time) as on_time,
    sum(minutes_late) as minutes_late
from train_punctuality_hourly
where local_date >= date '{from}'
group by local_date, hour, station, direction
