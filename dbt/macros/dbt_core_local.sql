{# dbt-core only: the runner in internal/dbt replaces partitions itself
   and does not read this file.

   On real BigQuery this is dbt's own insert_overwrite. The local warehouse
   (target local) has no scripting variables and no merge from a query, so
   there the rows are put beside the table first, because they may be made from
   it, and then the partitions are deleted and inserted in one transaction. #}
{% macro bq_insert_overwrite_sql(
    tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists, copy_partitions
) %}
{% if target.name != 'local' %}
    {{ bq_dynamic_insert_overwrite_sql(tmp_relation, target_relation, sql, unique_key, partition_by, dest_columns, tmp_relation_exists, copy_partitions) }}
{% else %}
    {%- set columns = dest_columns | map(attribute='quoted') | join(', ') %}
    create or replace table {{ tmp_relation }} as
    {{ sql }};
    begin transaction;
    delete from {{ target_relation }}
    where {{ partition_by.field }} in (select {{ partition_by.field }} from {{ tmp_relation }});
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ tmp_relation }};
    commit transaction;
    drop table {{ tmp_relation }};
{% endif %}
{% endmacro %}
