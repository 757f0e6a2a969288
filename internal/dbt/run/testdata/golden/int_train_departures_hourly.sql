select
    local_date,
    local_hour,
    station,
    records as train_departures,
    passengers as departing_passengers,
    first_ingested_at,
    latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'train_departures'
