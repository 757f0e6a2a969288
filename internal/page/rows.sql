select
    period,
    metric_name,
    dimension,
    dimension_value,
    metric_value,
    unit,
    computed_at
from {table}
