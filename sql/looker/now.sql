-- What has begun and not ended.
select
    kind,
    what,
    station,
    zone,
    severity,
    began_at,
    ends_at,
    timestamp_diff(current_timestamp(), began_at, minute) as minutes_ago
from prod_data.recent_disturbances
where began_at <= current_timestamp() and ends_at > current_timestamp()
