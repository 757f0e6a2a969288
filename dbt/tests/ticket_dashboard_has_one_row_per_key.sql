{{ repeated_keys(ref('ticket_dashboard'), ['period', 'metric_name', 'dimension', 'dimension_value']) }}
