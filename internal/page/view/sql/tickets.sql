select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    tickets_validated as validated,
    tickets_rejected as rejected,
    tickets_validated_where_rejected_known as known
from ticket_validations_hourly
where local_date >= date '{from}'
