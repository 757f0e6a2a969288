{#- station_hours holds sums by local hour, and replaces whole local hours.
    Which: those with a row that arrived later than the newest row the table
    knows of its topic, less the overlap. Rows are only ever added to staging,
    so all other hours are as they were, and an event of any age lands in its
    hour. BigQuery prunes partitions by literals only, so what is known must be
    in the text of the statement. A row for each topic with news says:

    source       the topic
    known_until  rows that arrived later may be new (microseconds)
    read_from    from when on its rows are read (microseconds)
    local_dates  the dates that may change, as literals, comma-separated

    Two questions give such rows. remembered_arrivals asks little: it takes it
    that events go on in the hours in which they were going on. A runner that
    keeps its answer from the last run passes it as the variable "memory". The
    statement finds out for itself whether that was right: hours of which it
    did not read everything become rows of the kind "late", and then
    new_arrivals is asked. It takes nothing for granted, and reads more. -#}

{#- What a run leaves for the next one, of the partition that each run
    replaces. must_ask: 'yes' when hours are not right that were built on it. -#}
{% macro remembered_arrivals(relation) -%}
select
    topic as source,
    cast(max(if(row_kind = 'seen', unix_micros(latest_ingested_at), null)) - {{ overlap() }} as string) as known_until,
    cast(least(
        min(if(row_kind = 'seen', unix_micros(first_ingested_at), null)),
        max(if(row_kind = 'seen', unix_micros(latest_ingested_at), null)) - {{ overlap() }}
    ) as string) as read_from,
    coalesce(string_agg(distinct if(row_kind = 'seen', concat("date '", cast(date(local_hour) as string), "'"), null), ', '), '') as local_dates,
    if(countif(row_kind = 'late') > 0, 'yes', 'no') as must_ask
from {{ relation }}
where local_date = {{ notes_date() }}
group by 1
{%- endmacro %}

{#- Until when the rows of each topic are known. -#}
{% macro known_arrivals(relation) -%}
select
    topic as source,
    cast(max(unix_micros(latest_ingested_at)) - {{ overlap() }} as string) as known_until
from {{ relation }}
where row_kind = 'hour'
group by 1
{%- endmacro %}

{#- The topics with rows that arrived since. Where an hour began more than a day
    ago (is_old), staging may have forgotten some of their rows; asked again
    with the first answer, it leaves out the hours of which it has. Staging
    forgets whole hours of arrival, the oldest first: when it still has a row
    as old as an hour's first it has all later ones. -#}
{% macro new_arrivals(topics, relation, known, first=none) -%}
with fresh as (
    {%- for topic in topics %}
    select
        '{{ topic.name }}' as source,
        '{{ known_until(topic.name, known) }}' as known_until,
        {{ local_hour('timestamp') }} as local_hour,
        min(unix_micros(ingested_at)) as first_arrival
    from {{ source('staging', topic.name) }}
    where ingested_at > timestamp_micros({{ known_until(topic.name, known) }})
    group by 3
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{% if first -%}
kept as (
    select
        cast(null as string) as source,
        cast(null as int64) as oldest
    {%- for topic in first %}
    union all
    select
        '{{ topic.source }}',
        min(unix_micros(ingested_at))
    from {{ source('staging', topic.source) }}
    where ingested_at >= timestamp_micros({{ topic.read_from }})
    {%- endfor %}
),

{% endif -%}
known as (
    select
        topic as source,
        local_hour,
        min(unix_micros(first_ingested_at)) as known_from
    from {{ relation }}
    where row_kind = 'hour'
    group by 1, 2
),

touched as (
    select
        source,
        known_until,
        local_hour,
        least(first_arrival, coalesce(known_from, first_arrival)) as first_arrival
    from fresh
    left join known using (source, local_hour)
    {%- if first %}
    left join kept using (source)
    where known_from is null or oldest is null or oldest <= known_from
    {%- endif %}
)

select
    source,
    known_until,
    cast(min(first_arrival) as string) as read_from,
    string_agg(distinct concat("date '", cast(date(local_hour) as string), "'"), ', ') as local_dates,
    if(min(min(first_arrival)) over () < unix_micros(current_timestamp()) - 86400000000, 'yes', 'no') as is_old
from touched
group by 1, 2
{%- endmacro %}

{% macro known_until(topic, known) -%}
{%- for row in known if row.source == topic -%}{{ row.known_until }}{%- else -%}0{%- endfor -%}
{%- endmacro %}

{#- The dates that a run replaces: the notes, those that may change, and with
    memory today, which may be new. -#}
{% macro touched_dates(arrivals, memory) -%}
{{ notes_date() }}
{%- for row in arrivals if row.local_dates -%}
, {{ row.local_dates }}
{%- endfor -%}
{%- if memory -%}
, {{ today() }}
{%- endif -%}
{%- endmacro %}

{#- Microseconds in which a row becomes visible. -#}
{% macro overlap() -%}
{{ var('late_append_minutes') }} * 60000000
{%- endmacro %}

{#- The date under which station_hours keeps notes, before that of any event. -#}
{% macro notes_date() -%}
date '1970-01-01'
{%- endmacro %}
