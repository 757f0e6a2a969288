begin transaction;

delete from `some-project`.`prod_data`.`station_hours` where local_date in (date '1970-01-01', date '2026-11-22');

insert into `some-project`.`prod_data`.`station_hours` (`row_kind`, `topic`, `local_date`, `local_hour`, `station`, `zone`, `incident_type`, `severity`, `equipment`, `direction`, `late_train`, `records`, `scheduled_arrivals`, `arrivals_on_time`, `duration_minutes`, `minutes_late`, `passengers`, `tickets_validated`, `tickets_rejected`, `tickets_validated_where_rejected_known`, `waiting_time_minutes`, `ticket_check_time_minutes`, `reported_entered`, `reported_exited`, `first_ingested_at`, `latest_ingested_at`, `computed_at`)
select `row_kind`, `topic`, `local_date`, `local_hour`, `station`, `zone`, `incident_type`, `severity`, `equipment`, `direction`, `late_train`, `records`, `scheduled_arrivals`, `arrivals_on_time`, `duration_minutes`, `minutes_late`, `passengers`, `tickets_validated`, `tickets_rejected`, `tickets_validated_where_rejected_known`, `waiting_time_minutes`, `ticket_check_time_minutes`, `reported_entered`, `reported_exited`, `first_ingested_at`, `latest_ingested_at`, `computed_at`
from (
with candidates as (
    select
        cast(null as string) as row_kind,
        cast(null as string) as topic,
        cast(null as datetime) as local_hour,
        cast(null as string) as station,
        cast(null as string) as zone,
        cast(null as string) as incident_type,
        cast(null as string) as severity,
        cast(null as string) as equipment,
        cast(null as string) as direction,
        cast(null as string) as late_train,
        cast(null as int64) as records,
        cast(null as int64) as scheduled_arrivals,
        cast(null as int64) as arrivals_on_time,
        cast(null as float64) as duration_minutes,
        cast(null as float64) as minutes_late,
        cast(null as float64) as passengers,
        cast(null as float64) as tickets_validated,
        cast(null as float64) as tickets_rejected,
        cast(null as float64) as tickets_validated_where_rejected_known,
        cast(null as float64) as waiting_time_minutes,
        cast(null as float64) as ticket_check_time_minutes,
        cast(null as float64) as reported_entered,
        cast(null as float64) as reported_exited,
        0 as first_arrival,
        0 as latest_arrival,
        0 as known_until,
        current_timestamp() as computed_at
    from unnest([1])
    where false
    union all
    select
        'read' as row_kind,
        'train_arrivals' as topic,
        local_hour,
        station,
        cast(null as string) as zone,
        cast(null as string) as incident_type,
        cast(null as string) as severity,
        cast(null as string) as equipment,
        direction as direction,
        if(minutes_late > 5, train_number, null) as late_train,
        count(*) as records,
        count(minutes_late) as scheduled_arrivals,
        countif(minutes_late <= 5) as arrivals_on_time,
        cast(null as float64) as duration_minutes,
        sum(minutes_late) as minutes_late,
        sum(cast(passengers as float64)) as passengers,
        cast(null as float64) as tickets_validated,
        cast(null as float64) as tickets_rejected,
        cast(null as float64) as tickets_validated_where_rejected_known,
        cast(null as float64) as waiting_time_minutes,
        cast(null as float64) as ticket_check_time_minutes,
        cast(null as float64) as reported_entered,
        cast(null as float64) as reported_exited,
        min(unix_micros(ingested_at)) as first_arrival,
        max(unix_micros(ingested_at)) as latest_arrival,
        1795333800000000 as known_until,
        current_timestamp() as computed_at
    from (
        select
            datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
            station,
            direction,
            train_number,
            passengers,
            (unix_micros(timestamp) - unix_micros(scheduled_timestamp)) / 60000000 as minutes_late,
            ingested_at
        from `some-project`.`staging_data`.`train_arrivals`
        where ingested_at >= timestamp_micros(1795302000000000)
            and (ingested_at > timestamp_micros(1795333800000000) or date(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris')) in (date '1970-01-01', date '2026-11-22'))
        qualify row_number() over (
            partition by kafka_topic_id, kafka_partition, kafka_offset
            order by ingested_at
        ) = 1
    )
    group by local_hour, station, direction, late_train
    union all
    select
        row_kind,
        topic,
        local_hour,
        station,
        zone,
        incident_type,
        severity,
        equipment,
        direction,
        late_train,
        records,
        scheduled_arrivals,
        arrivals_on_time,
        duration_minutes,
        minutes_late,
        passengers,
        tickets_validated,
        tickets_rejected,
        tickets_validated_where_rejected_known,
        waiting_time_minutes,
        ticket_check_time_minutes,
        reported_entered,
        reported_exited,
        unix_micros(first_ingested_at),
        unix_micros(latest_ingested_at),
        null,
        computed_at
    from `some-project`.`prod_data`.`station_hours`
    where local_date in (date '1970-01-01', date '2026-11-22') and row_kind in ('hour', 'seen')
),

-- What is read ('read') and what is known of the same hour ('hour').
compared as (
    select
        *,
        max(known_until) over (partition by topic) as topic_known_until,
        min(if(row_kind = 'read', first_arrival, null)) over (partition by topic) as topic_first,
        max(if(row_kind = 'read', latest_arrival, null)) over (partition by topic) as topic_latest,
        max(if(row_kind = 'read', latest_arrival, null)) over (partition by topic, local_hour) as hour_latest,
        min(if(row_kind = 'hour', first_arrival, null)) over (partition by topic, local_hour) as hour_known_from
    from candidates
),

-- An hour is touched when it has a new row, and whole when all of its rows were
-- read: staging still has a row as old as its first one, and it was read.
judged as (
    select
        *,
        coalesce(hour_latest > topic_known_until, false) as is_touched,
        date(local_hour) in (date '1970-01-01', date '2026-11-22') and coalesce(topic_first <= hour_known_from, true) as is_whole
    from compared
)

select
    'hour' as row_kind,
    topic,
    date(local_hour) as local_date,
    local_hour,
    station,
    zone,
    incident_type,
    severity,
    equipment,
    direction,
    late_train,
    records,
    scheduled_arrivals,
    arrivals_on_time,
    duration_minutes,
    minutes_late,
    passengers,
    tickets_validated,
    tickets_rejected,
    tickets_validated_where_rejected_known,
    waiting_time_minutes,
    ticket_check_time_minutes,
    reported_entered,
    reported_exited,
    timestamp_micros(first_arrival) as first_ingested_at,
    timestamp_micros(latest_arrival) as latest_ingested_at,
    computed_at
from judged
where row_kind = if(is_touched and is_whole, 'read', 'hour')

union all
-- Notes: the hours in which events go on, and those that are not whole.
select
    if(row_kind = 'read' and is_touched and not is_whole, 'late', 'seen'),
    topic,
    date '1970-01-01',
    local_hour,
    cast(null as string),
    cast(null as string),
    cast(null as string),
    cast(null as string),
    cast(null as string),
    cast(null as string),
    cast(null as string),
    cast(null as int64),
    cast(null as int64),
    cast(null as int64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    cast(null as float64),
    timestamp_micros(min(first_arrival)),
    timestamp_micros(max(latest_arrival)),
    max(computed_at)
from judged
where if(
    row_kind = 'read',
    hour_latest > topic_latest - 10 * 60000000 or is_touched and not is_whole,
    row_kind = 'seen' and topic_latest is null
)
group by 1, topic, local_hour
);

commit transaction;
