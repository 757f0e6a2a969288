{#- The network's wall clock at a moment. Moments at the very end of the
    calendar are held back, so that no zone takes them past year 9999. -#}
{% macro local_datetime(moment) -%}
datetime(least({{ moment }}, timestamp '9999-12-31 00:00:00+00'), '{{ var("timezone") }}')
{%- endmacro %}

{#- The wall clock's hour. The hour that autumn repeats counts as one: it is
    the local datetime that is truncated, not the moment. -#}
{% macro local_hour(moment) -%}
datetime_trunc({{ local_datetime(moment) }}, hour)
{%- endmacro %}

{% macro local_date(moment) -%}
date({{ local_datetime(moment) }})
{%- endmacro %}

{#- The network's current date. A runner may pass the variable "today", so that
    all models of a run agree on it. -#}
{% macro today() -%}
{%- if var('today', none) -%}
date '{{ var("today") }}'
{%- else -%}
current_date('{{ var("timezone") }}')
{%- endif -%}
{%- endmacro %}

{#- Minutes from planned to actual, with fractions; early is negative. Counted
    in microseconds, because timestamp_diff(..., minute) cuts 5:59 to 5. -#}
{% macro minutes_late(actual, planned) -%}
(unix_micros({{ actual }}) - unix_micros({{ planned }})) / 60000000
{%- endmacro %}

{#- The moment so many minutes later, with fractions, at most the calendar's
    end. Minutes may be any number that is accepted: 10 million are 19 years. -#}
{% macro minutes_after(moment, minutes) -%}
timestamp_micros(least(unix_micros({{ moment }}) + cast(least({{ minutes }}, 10000000) * 60000000 as int64), 253402300799999999))
{%- endmacro %}
