select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    passengers_entered as entered,
    passengers_exited as exited,
    is_estimated as estimated,
    flow_records as records,
    waiting_time_minutes as waiting
from passenger_flow_hourly
where local_date >= date '{from}'
