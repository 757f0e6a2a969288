{{ repeated_keys(ref('equipment_failures_hourly'), ['local_hour', 'station', 'zone', 'equipment']) }}
