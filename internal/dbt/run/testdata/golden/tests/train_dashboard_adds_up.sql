-- severity error, after train_dashboard

-- The values of each dimension make the total.
with parts as (
    select
        period,
        metric_name,
        dimension,
        sum(metric_value) as metric_value
    from `some-project`.`prod_data`.`train_dashboard`
    where metric_name in ('train_arrivals', 'train_departures', 'arrivals_on_time', 'arrivals_late')
    group by 1, 2, 3
),

compared as (
    select
        *,
        max(if(dimension is null, metric_value, null)) over (partition by period, metric_name) as total
    from parts
)

select *
from compared
where coalesce(abs(metric_value - total) > 0.000001 * abs(total), metric_value is not null or total is not null)
