{{ repeated_keys(ref('passenger_flow_hourly'), ['local_hour', 'station']) }}
