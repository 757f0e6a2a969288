select
    local_date,
    local_hour,
    station,
    zone,
    equipment,
    records as equipment_failures,
    duration_minutes,
    first_ingested_at,
    latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'equipment_failures'
