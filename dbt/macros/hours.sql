{#- The sums of one topic by local hour: of the rows from row.read_from on (see
    incremental.sql) that may be new or are of one of the dates, or of all rows. -#}
{% macro hours_of(topic, dimensions, counts, sums, row=none, dates=none) -%}
select
    'read' as row_kind,
    '{{ topic.name }}' as topic,
    local_hour,
    station,
    {%- for name in dimensions %}
    {% for pair in topic.dimensions if pair[0] == name %}{{ pair[1] }}{% else %}cast(null as string){% endfor %} as {{ name }},
    {%- endfor %}
    count(*) as records,
    {%- for name in counts %}
    {% for pair in topic.measures if pair[0] == name %}{{ pair[1] }}{% else %}cast(null as int64){% endfor %} as {{ name }},
    {%- endfor %}
    {%- for name in sums %}
    {% for pair in topic.measures if pair[0] == name %}{{ pair[1] }}{% else %}cast(null as float64){% endfor %} as {{ name }},
    {%- endfor %}
    min(unix_micros(ingested_at)) as first_arrival,
    max(unix_micros(ingested_at)) as latest_arrival,
    {{ row.known_until if row else 0 }} as known_until,
    current_timestamp() as computed_at
from (
    select
        {{ local_hour('timestamp') }} as local_hour,
        station,
        {{ topic.columns | join(',\n        ') }},
        ingested_at
    from {{ source('staging', topic.name) }}
    {%- if row %}
    where ingested_at >= timestamp_micros({{ row.read_from }})
        and (ingested_at > timestamp_micros({{ row.known_until }}) or {{ local_date('timestamp') }} in ({{ dates }}))
    {%- else %}
    where true
    {%- endif %}
    {{ one_row_per_record() | indent(4) }}
)
group by local_hour, station
    {%- for pair in topic.dimensions %}, {{ pair[0] }}{% endfor %}
{%- endmacro %}

{#- No row, with the types of the columns. -#}
{% macro no_hours(dimensions, counts, sums) -%}
select
    cast(null as string) as row_kind,
    cast(null as string) as topic,
    cast(null as datetime) as local_hour,
    cast(null as string) as station,
    {%- for name in dimensions %}
    cast(null as string) as {{ name }},
    {%- endfor %}
    {%- for name in ['records'] + counts %}
    cast(null as int64) as {{ name }},
    {%- endfor %}
    {%- for name in sums %}
    cast(null as float64) as {{ name }},
    {%- endfor %}
    0 as first_arrival,
    0 as latest_arrival,
    0 as known_until,
    current_timestamp() as computed_at
from unnest([1])
where false
{%- endmacro %}
