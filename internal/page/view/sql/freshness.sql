select
    topic,
    date(earliest_local_hour) as since,
    latest_ingested_at as arrived_at,
    computed_at
from topic_freshness
