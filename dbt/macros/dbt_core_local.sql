{# dbt-core only: the runner in internal/dbt replaces partitions itself
   and does not read this file.

   On real BigQuery this is dbt's own insert_overwrite. The local warehouse
   (target local) has no scripting variables and no merge from a query, so
   there the partitions are deleted and inserted in one transaction. #}
{% macro bq_insert_overwrite_sql(
    tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists, copy_partitions
) %}
{% if target.name != 'local' %}
    {{ bq_dynamic_insert_overwrite_sql(tmp_relation, target_relation, sql, unique_key, partition_by, dest_columns, tmp_relation_exists, copy_partitions) }}
{% else %}
    {%- set columns = dest_columns | map(attribute='quoted') | join(', ') %}
    begin transaction;
    delete from {{ target_relation }}
    where {{ partition_by.field }} in (
        select {{ partition_by.field }} from (
            {{ sql }}
        )
    );
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from (
        {{ sql }}
    );
    commit transaction;
{% endif %}
{% endmacro %}
