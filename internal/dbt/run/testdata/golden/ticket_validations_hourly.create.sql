create or replace table `some-project`.`prod_data`.`ticket_validations_hourly`
partition by local_date
cluster by station
as
select local_date, local_hour, station, validation_records, tickets_validated, tickets_rejected, tickets_validated_where_rejected_known, first_ingested_at, latest_ingested_at
from (
with records as (
    select
        datetime_trunc(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris'), hour) as local_hour,
        station,
        validations,
        rejected,
        ingested_at
    from `some-project`.`staging_data`.`ticket_validations`
    where true
    qualify row_number() over (
        partition by kafka_topic_id, kafka_partition, kafka_offset
        order by ingested_at
    ) = 1
),

hours as (
    select
        local_hour,
        station,
        count(*) as validation_records,
        sum(cast(validations as float64)) as tickets_validated,
        sum(cast(rejected as float64)) as tickets_rejected,
        sum(if(rejected is null, null, cast(validations as float64))) as tickets_validated_where_rejected_known,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    validation_records,
    tickets_validated,
    tickets_rejected,
    tickets_validated_where_rejected_known,
    first_ingested_at,
    latest_ingested_at
from hours
)
