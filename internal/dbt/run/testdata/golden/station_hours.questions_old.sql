select
    topic as source,
    cast(max(unix_micros(latest_ingested_at)) - 10 * 60000000 as string) as known_until
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour'
group by 1;

with fresh as (
    select
        'incidents' as source,
        '1795333800000000' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`incidents`
    where ingested_at > timestamp_micros(1795333800000000)
    group by 3
    union all
    select
        'equipment_failures' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`equipment_failures`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'train_arrivals' as source,
        '1795333800000000' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`train_arrivals`
    where ingested_at > timestamp_micros(1795333800000000)
    group by 3
    union all
    select
        'train_departures' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`train_departures`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'ticket_validations' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`ticket_validations`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'passenger_flow' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`passenger_flow`
    where ingested_at > timestamp_micros(0)
    group by 3
    
),

known as (
    select
        topic as source,
        local_hour,
        min(unix_micros(first_ingested_at)) as known_from
    from `some-project`.`prod_data`.`station_hours`
    where row_kind = 'hour'
    group by 1, 2
),

touched as (
    select
        source,
        known_until,
        local_hour,
        least(first_arrival, coalesce(known_from, first_arrival)) as first_arrival
    from fresh
    left join known using (source, local_hour)
)

select
    source,
    known_until,
    cast(min(first_arrival) as string) as read_from,
    string_agg(distinct concat("date '", cast(date(local_hour) as string), "'"), ', ') as local_dates,
    if(min(min(first_arrival)) over () < unix_micros(current_timestamp()) - 86400000000, 'yes', 'no') as is_old
from touched
group by 1, 2;

with fresh as (
    select
        'incidents' as source,
        '1795333800000000' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`incidents`
    where ingested_at > timestamp_micros(1795333800000000)
    group by 3
    union all
    select
        'equipment_failures' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`equipment_failures`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'train_arrivals' as source,
        '1795333800000000' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`train_arrivals`
    where ingested_at > timestamp_micros(1795333800000000)
    group by 3
    union all
    select
        'train_departures' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`train_departures`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'ticket_validations' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`ticket_validations`
    where ingested_at > timestamp_micros(0)
    group by 3
    union all
    select
        'passenger_flow' as source,
        '0' as known_until,
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from `some-project`.`staging_data`.`passenger_flow`
    where ingested_at > timestamp_micros(0)
    group by 3
    
),

kept as (
    select
        cast(null as string) as source,
        cast(null as int64) as oldest
    union all
    select
        'incidents',
        min(unix_micros(ingested_at))
    from `some-project`.`staging_data`.`incidents`
    where ingested_at >= timestamp_micros(1795240800000000)
    union all
    select
        'train_arrivals',
        min(unix_micros(ingested_at))
    from `some-project`.`staging_data`.`train_arrivals`
    where ingested_at >= timestamp_micros(1795302000000000)
),

known as (
    select
        topic as source,
        local_hour,
        min(unix_micros(first_ingested_at)) as known_from
    from `some-project`.`prod_data`.`station_hours`
    where row_kind = 'hour'
    group by 1, 2
),

touched as (
    select
        source,
        known_until,
        local_hour,
        least(first_arrival, coalesce(known_from, first_arrival)) as first_arrival
    from fresh
    left join known using (source, local_hour)
    left join kept using (source)
    where known_from is null or oldest is null or oldest <= known_from
)

select
    source,
    known_until,
    cast(min(first_arrival) as string) as read_from,
    string_agg(distinct concat("date '", cast(date(local_hour) as string), "'"), ', ') as local_dates,
    if(min(min(first_arrival)) over () < unix_micros(current_timestamp()) - 86400000000, 'yes', 'no') as is_old
from touched
group by 1, 2
