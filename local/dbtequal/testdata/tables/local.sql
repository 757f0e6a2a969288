{# dbt-core only: what dbt's own macros need, and the local warehouse does not
   have: a merge from a query, several variables at once, ALTER TABLE. Each comes
   to what dbt's own comes to. #}

{% macro made_first(partition_by, tmp_relation, sql, tmp_relation_exists) %}
{% if not tmp_relation_exists %}{% do run_query(bq_create_table_as(partition_by, True, tmp_relation, sql)) %}{% endif %}
{% endmacro %}

{% macro bq_generate_incremental_merge_build_sql(tmp_relation, target_relation, sql, unique_key, partition_by, dest_columns, tmp_relation_exists, incremental_predicates) %}
  {% do made_first(partition_by, tmp_relation, sql, tmp_relation_exists) %}
  {% set predicates = [] if incremental_predicates is none else [] + incremental_predicates %}
  {% set filter = predicate_for_avoid_require_partition_filter() %}
  {% if filter is not none %}{% do predicates.append(filter) %}{% endif %}
  {{ return(get_merge_sql(target_relation, tmp_relation, unique_key, dest_columns, predicates)) }}
{% endmacro %}

{% macro bq_insert_overwrite_sql(tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists, copy_partitions) %}
  {% do made_first(partition_by, tmp_relation, sql, tmp_relation_exists) %}
  {% set columns = dest_columns | map(attribute='quoted') | join(', ') %}
  begin transaction;
  delete from {{ target_relation }} where {{ partition_by.render_wrapped() }} in (
    {% if partitions %}{{ partitions | join(', ') }}{% else %}select {{ partition_by.render_wrapped() }} from {{ tmp_relation }}{% endif %});
  insert into {{ target_relation }} ({{ columns }}) select {{ columns }} from {{ tmp_relation }};
  commit transaction;
{% endmacro %}

{% macro bigquery__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
  {% set columns = [] %}
  {% set gone = (remove_columns or []) | map(attribute='name') | list %}
  {% for c in adapter.get_columns_in_relation(relation) if c.name not in gone %}{% do columns.append(c.quoted) %}{% endfor %}
  {% for c in add_columns or [] %}{% do columns.append('cast(null as ' ~ c.data_type ~ ') as ' ~ c.quoted) %}{% endfor %}
  {% do run_query(create_table_as(False, relation, 'select ' ~ columns | join(', ') ~ ' from (select * from ' ~ relation ~ ')')) %}
{% endmacro %}

{% macro bigquery__create_columns(relation, columns) %}
  {% if columns %}{% do bigquery__alter_relation_add_remove_columns(relation, columns, none) %}{% endif %}
{% endmacro %}

{% macro bigquery__load_csv_rows(model, agate_table) %}
  {{ adapter.load_dataframe(model['database'], model['schema'], model['alias'], agate_table, model['config'].get('column_types', {}), model['config']['delimiter']) }}
  {% call statement() %}create or replace table {{ this.render() }} {{ bigquery_table_options(config, model) }} as select * from {{ this.render() }}{% endcall %}
{% endmacro %}
