{{ repeated_keys(ref('incidents_hourly'), ['local_hour', 'station', 'zone', 'incident_type', 'severity']) }}
