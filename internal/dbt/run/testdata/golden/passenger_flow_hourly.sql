with sources as (
    select
        local_date,
        local_hour,
        station,
        flow_records,
        waiting_time_minutes,
        ticket_check_time_minutes,
        reported_entered,
        reported_exited,
        cast(null as float64) as tickets_validated,
        cast(null as float64) as arriving_passengers
    from `some-project`.`prod_data`.`int_passenger_flow_hourly`
    union all
    select
        local_date,
        local_hour,
        station,
        0,
        cast(null as float64),
        cast(null as float64),
        cast(null as float64),
        cast(null as float64),
        tickets_validated,
        cast(null as float64)
    from `some-project`.`prod_data`.`ticket_validations_hourly`
    union all
    select
        local_date,
        local_hour,
        station,
        0,
        cast(null as float64),
        cast(null as float64),
        cast(null as float64),
        cast(null as float64),
        cast(null as float64),
        arriving_passengers
    from `some-project`.`prod_data`.`int_train_arrivals_hourly`
),

hours as (
    select
        local_date,
        local_hour,
        station,
        sum(flow_records) as flow_records,
        sum(waiting_time_minutes) as waiting_time_minutes,
        sum(ticket_check_time_minutes) as ticket_check_time_minutes,
        sum(reported_entered) as reported_entered,
        sum(reported_exited) as reported_exited,
        sum(tickets_validated) as tickets_validated,
        sum(arriving_passengers) as arriving_passengers
    from sources
    group by 1, 2, 3
)

-- Each part for itself: what was reported, or what stands in for it.
select
    local_date,
    local_hour,
    station,
    coalesce(reported_entered, tickets_validated) as passengers_entered,
    coalesce(reported_exited, arriving_passengers) as passengers_exited,
    if(
        coalesce(reported_entered, tickets_validated, reported_exited, arriving_passengers) is null,
        null,
        coalesce(reported_entered, tickets_validated, 0) + coalesce(reported_exited, arriving_passengers, 0)
    ) as passengers_total,
    (reported_entered is null and tickets_validated is not null)
        or (reported_exited is null and arriving_passengers is not null) as is_estimated,
    flow_records,
    waiting_time_minutes,
    ticket_check_time_minutes
from hours
