select
    topic,
    min(local_hour) as earliest_local_hour,
    max(local_hour) as latest_local_hour,
    max(latest_ingested_at) as latest_ingested_at,
    max(computed_at) as computed_at
from `some-project`.`prod_data`.`station_hours`
where local_date = date '1970-01-01' and row_kind = 'seen'
group by 1
