-- Brings to station_hours what the tables of before know and staging has
-- forgotten. docs/deploy.md says when to run it, once, with the dataset of the
-- marts as the default one. An hour is taken over when the table of before
-- knows an earlier arrival of it. All of it happens, or nothing.
begin transaction;

delete from station_hours
where row_kind = 'hour' and topic = 'incidents' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from incidents_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'incidents'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, zone, incident_type, severity, records, duration_minutes, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'incidents', local_date, local_hour, station, zone, incident_type, severity, incidents, duration_minutes, first_ingested_at, latest_ingested_at, current_timestamp()
from incidents_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'incidents');

delete from station_hours
where row_kind = 'hour' and topic = 'equipment_failures' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from equipment_failures_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'equipment_failures'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, zone, equipment, records, duration_minutes, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'equipment_failures', local_date, local_hour, station, zone, equipment, equipment_failures, duration_minutes, first_ingested_at, latest_ingested_at, current_timestamp()
from equipment_failures_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'equipment_failures');

delete from station_hours
where row_kind = 'hour' and topic = 'train_arrivals' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from int_train_arrivals_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'train_arrivals'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, records, scheduled_arrivals, arrivals_on_time, minutes_late, passengers, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'train_arrivals', local_date, local_hour, station, train_arrivals, scheduled_arrivals, arrivals_on_time, minutes_late, arriving_passengers, first_ingested_at, latest_ingested_at, current_timestamp()
from int_train_arrivals_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'train_arrivals');

delete from station_hours
where row_kind = 'hour' and topic = 'train_departures' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from int_train_departures_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'train_departures'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, records, passengers, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'train_departures', local_date, local_hour, station, train_departures, departing_passengers, first_ingested_at, latest_ingested_at, current_timestamp()
from int_train_departures_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'train_departures');

delete from station_hours
where row_kind = 'hour' and topic = 'ticket_validations' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from ticket_validations_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'ticket_validations'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, records, tickets_validated, tickets_rejected, tickets_validated_where_rejected_known, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'ticket_validations', local_date, local_hour, station, validation_records, tickets_validated, tickets_rejected, tickets_validated_where_rejected_known, first_ingested_at, latest_ingested_at, current_timestamp()
from ticket_validations_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'ticket_validations');

delete from station_hours
where row_kind = 'hour' and topic = 'passenger_flow' and local_hour in (
    select local_hour
    from (
        select local_hour, first_ingested_at as known_before, cast(null as timestamp) as known_now
        from int_passenger_flow_hourly__table
        union all
        select local_hour, cast(null as timestamp), first_ingested_at
        from station_hours
        where row_kind = 'hour' and topic = 'passenger_flow'
    )
    group by local_hour
    having min(known_before) < min(known_now)
);

insert into station_hours (row_kind, topic, local_date, local_hour, station, records, waiting_time_minutes, ticket_check_time_minutes, reported_entered, reported_exited, first_ingested_at, latest_ingested_at, computed_at)
select 'hour', 'passenger_flow', local_date, local_hour, station, flow_records, waiting_time_minutes, ticket_check_time_minutes, reported_entered, reported_exited, first_ingested_at, latest_ingested_at, current_timestamp()
from int_passenger_flow_hourly__table
where local_hour not in (select local_hour from station_hours where row_kind = 'hour' and topic = 'passenger_flow');

commit transaction;
