select
    local_date,
    local_hour,
    station,
    zone,
    incident_type,
    severity,
    records as incidents,
    duration_minutes,
    first_ingested_at,
    latest_ingested_at
from {{ ref('station_hours') }}
where row_kind = 'hour' and topic = 'incidents'
