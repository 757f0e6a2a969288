select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    zone,
    incident_type as what,
    severity,
    incidents as count,
    duration_minutes as minutes
from incidents_hourly
where local_date >= date '{from}'
