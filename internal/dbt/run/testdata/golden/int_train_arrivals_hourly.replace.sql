begin transaction;

delete from `some-project`.`prod_data`.`int_train_arrivals_hourly` where local_date in (date '2026-11-21', date '2026-11-22');

insert into `some-project`.`prod_data`.`int_train_arrivals_hourly` (local_date, local_hour, station, train_arrivals, scheduled_arrivals, arrivals_on_time, minutes_late, arriving_passengers, first_ingested_at, latest_ingested_at)
select local_date, local_hour, station, train_arrivals, scheduled_arrivals, arrivals_on_time, minutes_late, arriving_passengers, first_ingested_at, latest_ingested_at
from (
with records as (
    select
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        station,
        passengers,
        (unix_micros(timestamp) - unix_micros(scheduled_timestamp)) / 60000000 as minutes_late,
        ingested_at
    from `some-project`.`staging_data`.`train_arrivals`
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
        count(*) as train_arrivals,
        count(minutes_late) as scheduled_arrivals,
        countif(minutes_late <= 5) as arrivals_on_time,
        sum(minutes_late) as minutes_late,
        sum(cast(passengers as float64)) as arriving_passengers,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    train_arrivals,
    scheduled_arrivals,
    arrivals_on_time,
    minutes_late,
    arriving_passengers,
    first_ingested_at,
    latest_ingested_at
from hours
);

commit transaction;
