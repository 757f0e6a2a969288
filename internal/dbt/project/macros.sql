{#- The macros of dbt that projects and packages call, as they are for
BigQuery; the names without a prefix dispatch to them. Their white space is a
part of the SQL. -#}

{% macro default__any_value(expression) %}any_value({{ expression }}){% endmacro %}
{% macro bigquery__bool_or(expression) %}logical_or({{ expression }}){% endmacro %}
{% macro default__concat(fields) %}{{ fields | join(' || ') }}{% endmacro %}
{% macro default__hash(field) %}md5(cast({{ field }} as string)){% endmacro %}
{% macro bigquery__hash(field) %}to_hex({{ dbt.default__hash(field) }}){% endmacro %}
{% macro bigquery__string_literal(value) %}'''{{ value }}'''{% endmacro %}
{% macro bigquery__escape_single_quotes(expression) %}{{ expression | replace("'", "\\'") }}{% endmacro %}
{% macro bigquery__except() %}{{ '\n\n    except distinct\n\n' }}{% endmacro %}
{% macro bigquery__intersect() %}{{ '\n\n    intersect distinct\n\n' }}{% endmacro %}

{% macro default__type_string() %}string{% endmacro %}
{% macro default__type_timestamp() %}timestamp{% endmacro %}
{% macro default__type_float() %}FLOAT64{% endmacro %}
{% macro default__type_numeric() %}numeric{% endmacro %}
{% macro default__type_bigint() %}bigint{% endmacro %}
{% macro default__type_int() %}INT64{% endmacro %}
{% macro default__type_boolean() %}boolean{% endmacro %}

{% macro default__cast(field, type) %}
    cast({{ field }} as {{ type }})
{% endmacro %}
{% macro default__cast_bool_to_text(field) %}
    cast({{ field }} as string)
{% endmacro %}
{% macro cast_bool_to_text(field) %}
  {{ adapter.dispatch('cast_bool_to_text', 'dbt')(field) }}
{% endmacro %}
{% macro cast_from_string_unsupported_for(type) %}
{{- return(type.lower().startswith('struct') or type.lower() == 'geography') }}
{%- endmacro %}
{% macro bigquery__safe_cast(field, type) %}
{%- set isList = field is iterable and field is not string and field is not mapping %}
{%- if type.lower().startswith('array') and isList and field | length > 0 %}
    {%- set inner = type.lower()[6:-1] %}
    {%- if cast_from_string_unsupported_for(inner) %}
        (select array_agg(safe_cast(i as {{ inner }})) from unnest([
        {%- for item in field %}
                {{ item.strip('"').strip("'") }}{{ '' if loop.last else ',' }}
        {%- endfor %}
        ]) i)
    {%- else -%}
        (select array_agg(safe_cast(i as {{ inner }})) from unnest({{ field }}) i)
    {%- endif %}
{%- elif type.lower() == 'json' and field is mapping -%}
    safe_cast(json {{ dbt.string_literal(tojson(field)) }} as json)
{%- elif cast_from_string_unsupported_for(type) and field is string -%}
    safe_cast({{ field.strip('"').strip("'") }} as {{ type }})
{%- else -%}
    safe_cast({{ field }} as {{ type }})
{%- endif %}
{%- endmacro %}

{% macro bigquery__array_append(array, new_element) %}{{ array_concat(array, array_construct([new_element])) }}{% endmacro %}
{% macro bigquery__array_concat(array_1, array_2) %}array_concat({{ array_1 }}, {{ array_2 }}){% endmacro %}
{% macro array_construct(inputs=[], data_type='INT64') %}{{ return(adapter.dispatch('array_construct', 'dbt')(inputs, data_type)) }}{% endmacro %}
{% macro bigquery__array_construct(inputs, data_type) %}
    {%- if inputs %}
    [ {{ inputs | join(' , ') }} ]
    {% else %}
    ARRAY<{{ data_type }}>[]
    {% endif %}
{%- endmacro %}

{% macro default__length(expression) %}

    length(
        {{ expression }}
    )
{%- endmacro %}
{% macro bigquery__position(substring_text, string_text) %}

    strpos(
        {{ string_text }},
        {{ substring_text }}

    )
{%- endmacro %}
{% macro default__replace(field, old_chars, new_chars) %}

    replace(
        {{ field }},
        {{ old_chars }},
        {{ new_chars }}
    )


{% endmacro %}
{% macro bigquery__right(string_text, length_expression) %}

    case when {{ length_expression }} = 0
        then ''
    else
        substr(
            {{ string_text }},
            -1 * ({{ length_expression }})
        )
    end
{%- endmacro %}
{% macro bigquery__split_part(string_text, delimiter_text, part_number) %}

  {% if part_number >= 0 %}
    split(
        {{ string_text }},
        {{ delimiter_text }}
        )[safe_offset({{ part_number - 1 }})]
  {% else %}
    split(
        {{ string_text }},
        {{ delimiter_text }}
        )[safe_offset(
          length({{ string_text }})
          - length(
              replace({{ string_text }},  {{ delimiter_text }}, '')
          ) + 1 + {{ part_number }}
        )]
  {% endif %}

{% endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) %}
{{- return(adapter.dispatch('listagg', 'dbt')(measure, delimiter_text, order_by_clause, limit_num)) }}
{%- endmacro %}
{% macro bigquery__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
    string_agg(
        {{ measure }},
        {{ delimiter_text }}
        {% if order_by_clause %}{{ order_by_clause }}{% endif %}
        {% if limit_num %}limit {{ limit_num }}{% endif %}
        )
{%- endmacro %}

{% macro bigquery__current_timestamp() %}current_timestamp(){% endmacro %}
{% macro bigquery__current_timestamp_backcompat() %}current_timestamp{% endmacro %}
{% macro default__current_timestamp_in_utc_backcompat() %}{{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}{% endmacro %}
{% macro bigquery__date(year, month, day) %}date({{ year }}, {{ month }}, {{ day }}){% endmacro %}
{% macro bigquery__date_trunc(datepart, date) -%}
    timestamp_trunc(
        cast({{ date }} as timestamp),
        {{ datepart }}
    )
{%- endmacro %}
{% macro bigquery__dateadd(datepart, interval, from_date_or_timestamp) %}

        datetime_add(
            cast( {{ from_date_or_timestamp }} as datetime),
        interval {{ interval }} {{ datepart }}
        )

{% endmacro %}
{% macro bigquery__datediff(first_date, second_date, datepart) %}

    datetime_diff(
        cast({{ second_date }} as datetime),
        cast({{ first_date }} as datetime),
        {{ datepart }}
    )

  {% endmacro %}
{% macro default_last_day(date, datepart) -%}
    cast(
        {{ dbt.dateadd('day', '-1', dbt.dateadd(datepart, '1', dbt.date_trunc(datepart, date))) }}
        as date)
{%- endmacro %}
{% macro default__last_day(date, datepart) %}{{ dbt.default_last_day(date, datepart) }}{% endmacro %}

{% macro default__get_powers_of_two(upper_bound) %}
    {%- if upper_bound <= 0 %}{{ exceptions.raise_compiler_error('upper bound must be positive') }}{% endif %}
    {%- for _ in range(1, 100) %}{% if upper_bound <= 2 ** loop.index %}{{ return(loop.index) }}{% endif %}{% endfor %}
{%- endmacro %}
{% macro default__generate_series(upper_bound) %}

    {% set n = dbt.get_powers_of_two(upper_bound) %}

    with p as (
        select 0 as generated_number union all select 1
    ), unioned as (

    select

    {% for i in range(n) %}
    p{{ i }}.generated_number * power(2, {{ i }})
    {% if not loop.last %} + {% endif %}
    {% endfor %}
    + 1
    as generated_number

    from

    {% for i in range(n) %}
    p as p{{ i }}
    {% if not loop.last %} cross join {% endif %}
    {% endfor %}

    )

    select *
    from unioned
    where generated_number <= {{ upper_bound }}
    order by generated_number

{% endmacro %}
{% macro default__get_intervals_between(start_date, end_date, datepart) %}
    {%- if not execute %}{{ return(1) }}{% endif %}
    {%- set answer = run_query('select ' ~ dbt.datediff(start_date, end_date, datepart)) %}
    {%- for row in answer.rows %}{{ return(row[0]) }}{% endfor %}
    {{- return(1) }}
{%- endmacro %}
{% macro default__date_spine(datepart, start_date, end_date) %}


    {{ '' }}


    with rawdata as (

        {{ dbt.generate_series(dbt.get_intervals_between(start_date, end_date, datepart)) }}

    ),

    all_periods as (

        select (
            {{ dbt.dateadd(datepart, 'row_number() over (order by 1) - 1', start_date) }}
        ) as date_{{ datepart }}
        from rawdata

    ),

    filtered as (

        select *
        from all_periods
        where date_{{ datepart }} <= {{ end_date }}

    )

    select * from filtered

{% endmacro %}

{% macro default__generate_schema_name(custom_schema_name, node) %}
    {{- target.schema if custom_schema_name is none else target.schema ~ '_' ~ custom_schema_name | trim }}
{%- endmacro %}
{% macro generate_schema_name_for_env(custom_schema_name, node) %}
    {{- custom_schema_name | trim if target.name == 'prod' and custom_schema_name is not none else target.schema }}
{%- endmacro %}
{% macro default__generate_alias_name(custom_alias_name, node) %}
    {{- node.name if custom_alias_name is none else custom_alias_name | trim }}
{%- endmacro %}
{% macro default__generate_database_name(custom_database_name, node) %}
    {{- target.database if custom_database_name is none else custom_database_name | trim }}
{%- endmacro %}
