{#- Incremental models hold sums by local hour, and replace whole local dates.
    Which dates: those with a row that arrived later than the newest row the
    model knows, less the overlap. Rows are only ever added to staging, so all
    other dates are as they were, and an event of any age lands in its date.

    The dates are asked for first and written into the model as literals:
    BigQuery prunes partitions by literals only. -#}

{#- The dates to replace (one row):
    local_dates    date literals, comma-separated; '' when there are none
    ingested_from  all rows of these dates arrived at or after it (microseconds)
    is_old         'yes' when some of them arrived more than a day ago: staging may
                   have lost some, so ask again
    records, newest  what was seen after known_until, the beginning of the overlap;
                     one of the three changes whenever a row was added
    Asked again with the first answer, it leaves out the dates of which staging
    has lost rows. Staging loses whole days of arrival, the oldest first: when it
    still has a row as old as ingested_from it has all later ones, and when it
    has none it has no older ones either. So no older rows need to be read. -#}
{% macro touched_dates(raw, first=none) -%}
{%- set until = first.known_until if first else known_until() -%}
with dates as (
    select
        {{ local_date('timestamp') }} as local_date,
        count(*) as records,
        min(unix_micros(ingested_at)) as oldest,
        max(unix_micros(ingested_at)) as newest,
        cast(null as int64) as known_from
    from {{ raw }}
    where ingested_at > timestamp_micros({{ until }})
    group by 1
    union all
    select
        local_date,
        0,
        min(unix_micros(first_ingested_at)),
        null,
        min(unix_micros(first_ingested_at))
    from {{ this }}
    group by 1
),

touched as (
    select
        local_date,
        sum(records) as records,
        min(oldest) as oldest,
        max(newest) as newest
    from dates
    group by 1
    having sum(dates.records) > 0
        {%- if first %}
        and coalesce(min(known_from) >= (select min(unix_micros(ingested_at)) from {{ raw }} where ingested_at >= timestamp_micros({{ first.ingested_from }})), true)
        {%- endif %}
)

select
    array_to_string(array(select concat("date '", cast(local_date as string), "'") from touched order by local_date), ', ') as local_dates,
    cast(coalesce(min(oldest), 0) as string) as ingested_from,
    if(min(oldest) < unix_micros(current_timestamp()) - 86400000000, 'yes', 'no') as is_old,
    cast(coalesce(sum(records), 0) as string) as records,
    cast(coalesce(max(newest), 0) as string) as newest,
    cast({{ until }} as string) as known_until
from touched
{%- endmacro %}

{#- Microseconds: rows that arrived later may be new to the model. -#}
{% macro known_until() -%}
{%- set newest = run_query('select cast(coalesce(max(unix_micros(latest_ingested_at)), 0) as string) as newest from ' ~ this) -%}
{{ newest.rows[0]['newest'] }} - {{ var('late_append_minutes') }} * 60000000
{%- endmacro %}

{#- The condition that keeps the rows of the touched dates; on a first run, or
    a full refresh, all rows. -#}
{% macro is_touched(touched) -%}
{%- if touched -%}
ingested_at >= timestamp_micros({{ touched.ingested_from }})
and {{ local_date('timestamp') }} in ({{ touched.local_dates or 'null' }})
-- {{ touched.records }} rows after {{ touched.known_until }}, the newest of {{ touched.newest }}
{%- else -%}
true
{%- endif -%}
{%- endmacro %}
