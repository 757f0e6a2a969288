{{ repeated_keys(ref('train_movements_hourly'), ['local_hour', 'station']) }}
