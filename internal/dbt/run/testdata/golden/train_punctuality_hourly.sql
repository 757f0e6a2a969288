select
    local_date,
    local_hour,
    station,
    direction,
    late_train as train_number,
    records as train_arrivals,
    scheduled_arrivals,
    arrivals_on_time,
    scheduled_arrivals - arrivals_on_time as arrivals_late,
    minutes_late,
    passengers as arriving_passengers,
    first_ingested_at,
    latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'train_arrivals'
