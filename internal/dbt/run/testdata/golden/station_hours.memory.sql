select
    topic as source,
    cast(max(if(row_kind = 'seen', unix_micros(latest_ingested_at), null)) - 10 * 60000000 as string) as known_until,
    cast(least(
        min(if(row_kind = 'seen', unix_micros(first_ingested_at), null)),
        max(if(row_kind = 'seen', unix_micros(latest_ingested_at), null)) - 10 * 60000000
    ) as string) as read_from,
    coalesce(string_agg(distinct if(row_kind = 'seen', concat("date '", cast(date(local_hour) as string), "'"), null), ', '), '') as local_dates,
    if(countif(row_kind = 'late') > 0, 'yes', 'no') as must_ask
from `some-project`.`prod_data`.`station_hours`__next
where local_date = date '1970-01-01'
group by 1
