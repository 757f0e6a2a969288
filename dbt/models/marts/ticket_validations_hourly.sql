select
    local_date,
    local_hour,
    station,
    records as validation_records,
    tickets_validated,
    tickets_rejected,
    tickets_validated_where_rejected_known,
    first_ingested_at,
    latest_ingested_at
from {{ ref('station_hours') }}
where row_kind = 'hour' and topic = 'ticket_validations'
