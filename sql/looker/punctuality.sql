-- Arrivals by day, direction and station, and late ones by train. Punctuality is
-- sum(arrivals_on_time) / sum(scheduled_arrivals), the mean delay
-- sum(minutes_late) / sum(scheduled_arrivals).
select
    local_date,
    station,
    direction,
    train_number,
    sum(train_arrivals) as train_arrivals,
    sum(scheduled_arrivals) as scheduled_arrivals,
    sum(arrivals_on_time) as arrivals_on_time,
    sum(arrivals_late) as arrivals_late,
    sum(minutes_late) as minutes_late
from prod_data.train_punctuality_hourly
where local_date between parse_date('%Y%m%d', @DS_START_DATE) and parse_date('%Y%m%d', @DS_END_DATE)
group by 1, 2, 3, 4
