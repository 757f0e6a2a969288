select
    local_date,
    local_hour,
    station,
    sum(records) as train_arrivals,
    sum(scheduled_arrivals) as scheduled_arrivals,
    sum(arrivals_on_time) as arrivals_on_time,
    sum(minutes_late) as minutes_late,
    sum(passengers) as arriving_passengers,
    min(first_ingested_at) as first_ingested_at,
    max(latest_ingested_at) as latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'train_arrivals'
group by 1, 2, 3
