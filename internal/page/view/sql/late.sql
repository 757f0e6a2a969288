select
    local_date,
    extract(hour from local_hour) as hour,
    station,
    direction,
    train_number as train,
    arrivals_late as late,
    scheduled_arrivals as scheduled,
    minutes_late
from train_punctuality_hourly
where local_date >= date '{from}' and arrivals_late > 0 and train_number is not null
