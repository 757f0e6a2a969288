{#- The keys that a relation has more than one row of. Grouping is cheaper than
    a generic test on a key of several columns put together as text, and takes
    NULL for a value. -#}
{% macro repeated_keys(relation, columns) -%}
select {{ columns | join(', ') }}
from {{ relation }}
group by {{ columns | join(', ') }}
having count(*) > 1
{%- endmacro %}
