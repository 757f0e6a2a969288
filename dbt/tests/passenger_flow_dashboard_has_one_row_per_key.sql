{{ repeated_keys(ref('passenger_flow_dashboard'), ['period', 'metric_name', 'dimension', 'dimension_value']) }}
