{{ repeated_keys(ref('ticket_validations_hourly'), ['local_hour', 'station']) }}
