-- Incidents and equipment failures by day and platform.
select
    local_date,
    station,
    zone,
    'incident' as kind,
    incident_type as what,
    severity,
    sum(incidents) as events,
    sum(duration_minutes) as minutes
from prod_data.incidents_hourly
where local_date between parse_date('%Y%m%d', @DS_START_DATE) and parse_date('%Y%m%d', @DS_END_DATE)
group by 1, 2, 3, 4, 5, 6
union all
select
    local_date,
    station,
    zone,
    'equipment failure',
    equipment,
    cast(null as string),
    sum(equipment_failures),
    sum(duration_minutes)
from prod_data.equipment_failures_hourly
where local_date between parse_date('%Y%m%d', @DS_START_DATE) and parse_date('%Y%m%d', @DS_END_DATE)
group by 1, 2, 3, 4, 5, 6
