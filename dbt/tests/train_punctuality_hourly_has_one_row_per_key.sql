{{ repeated_keys(ref('train_punctuality_hourly'), ['local_hour', 'station', 'direction', 'train_number']) }}
