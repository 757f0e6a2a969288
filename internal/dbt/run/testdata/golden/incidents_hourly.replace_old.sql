begin transaction;

delete from `some-project`.`prod_data`.`incidents_hourly` where local_date in (date '2026-11-22');

insert into `some-project`.`prod_data`.`incidents_hourly` (local_date, local_hour, station, zone, incident_type, severity, incidents, duration_minutes, first_ingested_at, latest_ingested_at)
select local_date, local_hour, station, zone, incident_type, severity, incidents, duration_minutes, first_ingested_at, latest_ingested_at
from (
with records as (
    select
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        station,
        location,
        type,
        severity,
        duration,
        ingested_at
    from `some-project`.`staging_data`.`incidents`
    where ingested_at >= timestamp_micros(1795302000000000)
    and date(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris')) in (date '2026-11-22')
    -- 40 rows after 1795333800000000, the newest of 1795334460000000
    qualify row_number() over (
        partition by kafka_topic_id, kafka_partition, kafka_offset
        order by ingested_at
    ) = 1
),

hours as (
    select
        local_hour,
        station,
        location,
        type as incident_type,
        severity,
        count(*) as incidents,
        sum(least(duration, 1e290)) as duration_minutes,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2, 3, 4, 5
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    concat(station, ' / ', location) as zone,
    incident_type,
    severity,
    incidents,
    duration_minutes,
    first_ingested_at,
    latest_ingested_at
from hours
);

commit transaction;
