{{ repeated_keys(ref('train_dashboard'), ['period', 'metric_name', 'dimension', 'dimension_value']) }}
