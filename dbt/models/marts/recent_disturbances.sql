{#- What may still be going on: it is read from the sources, because the hourly
    marts know no single event. Only a week of arrivals is read, whatever is
    retained. -#}
select
    'incident' as kind,
    type as what,
    station,
    concat(station, ' / ', location) as zone,
    severity,
    timestamp as began_at,
    {{ minutes_after('timestamp', 'duration') }} as ends_at,
    ingested_at
from {{ source('staging', 'incidents') }}
where ingested_at >= timestamp_sub(current_timestamp(), interval 7 day)
{{ one_row_per_record() }}
union all
select
    'equipment failure',
    equipment,
    station,
    concat(station, ' / ', location),
    cast(null as string),
    timestamp,
    {{ minutes_after('timestamp', 'duration') }},
    ingested_at
from {{ source('staging', 'equipment_failures') }}
where ingested_at >= timestamp_sub(current_timestamp(), interval 7 day)
{{ one_row_per_record() }}
