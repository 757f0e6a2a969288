{{ repeated_keys(ref('incident_dashboard'), ['period', 'metric_name', 'dimension', 'dimension_value']) }}
