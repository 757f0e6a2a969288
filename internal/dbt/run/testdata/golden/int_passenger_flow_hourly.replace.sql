begin transaction;

delete from `some-project`.`prod_data`.`int_passenger_flow_hourly` where local_date in (date '2026-11-21', date '2026-11-22');

insert into `some-project`.`prod_data`.`int_passenger_flow_hourly` (local_date, local_hour, station, flow_records, waiting_time_minutes, ticket_check_time_minutes, reported_entered, reported_exited, first_ingested_at, latest_ingested_at)
select local_date, local_hour, station, flow_records, waiting_time_minutes, ticket_check_time_minutes, reported_entered, reported_exited, first_ingested_at, latest_ingested_at
from (
with records as (
    select
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        station,
        waiting_time,
        ticket_check_time,
        entered,
        exited,
        ingested_at
    from `some-project`.`staging_data`.`passenger_flow`
    where ingested_at >= timestamp_micros(1795240800000000)
    and date(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris')) in (date '2026-11-21', date '2026-11-22')
    -- 42 rows after 1795333800000000, the newest of 1795334460000000
    qualify row_number() over (
        partition by kafka_topic_id, kafka_partition, kafka_offset
        order by ingested_at
    ) = 1
),

hours as (
    select
        local_hour,
        station,
        count(*) as flow_records,
        sum(least(waiting_time, 1e290)) as waiting_time_minutes,
        sum(least(ticket_check_time, 1e290)) as ticket_check_time_minutes,
        sum(cast(entered as float64)) as reported_entered,
        sum(cast(exited as float64)) as reported_exited,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    flow_records,
    waiting_time_minutes,
    ticket_check_time_minutes,
    reported_entered,
    reported_exited,
    first_ingested_at,
    latest_ingested_at
from hours
);

commit transaction;
