select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    zone,
    equipment as what,
    cast(null as string) as severity,
    equipment_failures as count,
    duration_minutes as minutes
from equipment_failures_hourly
where local_date >= date '{from}'
