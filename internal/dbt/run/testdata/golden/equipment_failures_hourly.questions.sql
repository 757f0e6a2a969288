select cast(coalesce(max(unix_micros(latest_ingested_at)), 0) as string) as newest from `some-project`.`prod_data`.`equipment_failures_hourly`;

with dates as (
    select
        date(datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris')) as local_date,
        count(*) as records,
        min(unix_micros(ingested_at)) as oldest,
        max(unix_micros(ingested_at)) as newest,
        cast(null as int64) as known_from
    from `some-project`.`staging_data`.`equipment_failures`
    where ingested_at > timestamp_micros(1795334400000000 - 10 * 60000000)
    group by 1
    union all
    select
        local_date,
        0,
        min(unix_micros(first_ingested_at)),
        null,
        min(unix_micros(first_ingested_at))
    from `some-project`.`prod_data`.`equipment_failures_hourly`
    group by 1
),

touched as (
    select
        local_date,
        sum(records) as records,
        min(oldest) as oldest,
        max(newest) as newest
    from dates
    group by 1
    having sum(dates.records) > 0
)

select
    array_to_string(array(select concat("date '", cast(local_date as string), "'") from touched order by local_date), ', ') as local_dates,
    cast(coalesce(min(oldest), 0) as string) as ingested_from,
    if(min(oldest) < unix_micros(current_timestamp()) - 86400000000, 'yes', 'no') as is_old,
    cast(coalesce(sum(records), 0) as string) as records,
    cast(coalesce(max(newest), 0) as string) as newest,
    cast(1795334400000000 - 10 * 60000000 as string) as known_until
from touched
