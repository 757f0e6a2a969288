{#- The dashboard tables share one shape: a row for each period, metric,
    dimension and value of the dimension. These macros build it from a CTE with
    one row per combination of the dimensions and is_today.

    by_dimension: the counts and sums by period, dimension and dimension_value,
    with the total as dimension NULL. The totals are always there: in a period
    without records counts are 0, and sums NULL. dimensions is a list of
    [name, column of relation]; a column may be NULL for no value. -#}
{% macro by_dimension(relation, dimensions, counts, sums) -%}
select
    period,
    dimension,
    dimension_value,
    {%- for count in counts %}
    sum({{ count }}) as {{ count }},
    {%- endfor %}
    {%- for sum in sums %}
    sum({{ sum }}) as {{ sum }}{{ ',' if not loop.last }}
    {%- endfor %}
from (
    select
        is_today,
        {%- for dimension in dimensions %}
        {{ dimension[1] }},
        {%- endfor %}
        {{ (counts + sums) | join(', ') }}
    from {{ relation }}
    union all
    select
        true,
        {%- for dimension in dimensions %}
        null,
        {%- endfor %}
        {%- for count in counts %}
        0,
        {%- endfor %}
        {%- for sum in sums %}
        null{{ ',' if not loop.last }}
        {%- endfor %}
)
cross join unnest(if(is_today, ['all', 'today'], ['all'])) as period
cross join unnest([
    struct(cast(null as string) as dimension, cast(null as string) as dimension_value)
    {%- for dimension in dimensions %},
    struct('{{ dimension[0] }}', {{ dimension[1] }})
    {%- endfor %}
])
where dimension is null or dimension_value is not null
group by 1, 2, 3
{%- endmacro %}

{#- The rows of one metric: the total, and each value of its dimensions. -#}
{% macro metric_rows(name, value, unit, dimensions, relation='by_dimension') -%}
select
    period,
    '{{ name }}' as metric_name,
    dimension,
    dimension_value,
    cast({{ value }} as float64) as metric_value,
    '{{ unit }}' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from {{ ref('station_hours') }} where local_date = {{ notes_date() }}) as computed_at
from {{ relation }}
where dimension is null or dimension in ('{{ dimensions | join("', '") }}')
{%- endmacro %}
