select
    local_date,
    local_hour,
    station,
    records as flow_records,
    waiting_time_minutes,
    ticket_check_time_minutes,
    reported_entered,
    reported_exited,
    first_ingested_at,
    latest_ingested_at
from `some-project`.`prod_data`.`station_hours`
where row_kind = 'hour' and topic = 'passenger_flow'
