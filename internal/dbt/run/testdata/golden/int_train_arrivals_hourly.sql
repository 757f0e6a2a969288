select
    local_date,
    local_hour,
    station,
    records as train_arrivals,
    scheduled_arrivals,
    arrivals_on_time,
    minutes_late,
    passengers as arriving_passengers,
    first_ingested_at,
    latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'train_arrivals'
