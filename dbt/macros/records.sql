{#- Keeps one row of each Kafka record, the one that arrived first. A record
    is known by topic id, partition and offset: ids repeat, and a topic that is
    created again counts its offsets from 0 again. -#}
{% macro one_row_per_record() -%}
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
{%- endmacro %}

{#- A measure that sums without overflow, however large the accepted values
    are: whole numbers are summed as FLOAT64, which is exact up to 2^53. -#}
{% macro summable(measure) -%}
least({{ measure }}, 1e290)
{%- endmacro %}
