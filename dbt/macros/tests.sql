{#- The keys that a relation has more than one row of. Grouping is cheaper than
    a generic test on a key of several columns put together as text, and takes
    NULL for a value. -#}
{% macro repeated_keys(relation, columns) -%}
select {{ columns | join(', ') }}
from {{ relation }}
group by {{ columns | join(', ') }}
having count(*) > 1
{%- endmacro %}

{#- The metrics of a dashboard table whose values by a dimension do not add up
    to the total. Sums of very large numbers differ in their last digits with
    the order of summing. -#}
{% macro parts_that_miss_the_total(relation, metrics) -%}
with parts as (
    select
        period,
        metric_name,
        dimension,
        sum(metric_value) as metric_value
    from {{ relation }}
    where metric_name in ('{{ metrics | join("', '") }}')
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
{%- endmacro %}
