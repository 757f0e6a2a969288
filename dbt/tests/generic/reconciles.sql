{#- The sums of an hourly model are those of the records in staging, by local
    date. measures is a list of [column of the model, figure of a record].

    Records may arrive while the test runs, and become visible a little late:
    the model must have at least those that were certain when it was built, and
    at most those there are. Dates of which staging has expired records are left
    out. Sums of very large numbers differ in their last digits with the order
    of summing. -#}
{% test reconciles(model, staging, local_moment, measures) %}
{{ config(meta={'looks_at': 'everything'}) }}
with sums as (
    select
        local_date,
        min(unix_micros(first_ingested_at)) as first_ingested_at,
        {%- for measure in measures %}
        sum({{ measure[0] }}) as modelled_{{ loop.index }},
        cast(null as float64) as certain_{{ loop.index }},
        cast(null as float64) as possible_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    group by 1
    union all
    select
        date({{ local_moment }}),
        null,
        {%- for measure in measures %}
        null,
        sum(if(unix_micros(ingested_at) <= certain_until, cast({{ summable(measure[1]) }} as float64), 0)),
        sum(cast({{ summable(measure[1]) }} as float64)){{ ',' if not loop.last }}
        {%- endfor %}
    from {{ staging }}
    cross join (
        select max(unix_micros(latest_ingested_at)) - {{ var('late_append_minutes') }} * 60000000 as certain_until
        from {{ model }}
    )
    group by 1
),

dates as (
    select
        local_date,
        min(first_ingested_at) as first_ingested_at,
        {%- for measure in measures %}
        coalesce(sum(modelled_{{ loop.index }}), 0) as modelled_{{ loop.index }},
        coalesce(sum(certain_{{ loop.index }}), 0) as certain_{{ loop.index }},
        coalesce(sum(possible_{{ loop.index }}), 0) as possible_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from sums
    group by 1
)

select *
from dates
where coalesce(first_ingested_at >= (select min(unix_micros(ingested_at)) from {{ staging }}), true)
    and (
        {%- for measure in measures %}
        {{ 'or ' if not loop.first }}modelled_{{ loop.index }} * 1.000001 < certain_{{ loop.index }}
        or modelled_{{ loop.index }} > possible_{{ loop.index }} * 1.000001
        {%- endfor %}
    )
{% endtest %}
