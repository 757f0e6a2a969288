{{ repeated_keys(ref('equipment_failure_dashboard'), ['period', 'metric_name', 'dimension', 'dimension_value']) }}
