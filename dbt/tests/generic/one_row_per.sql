{#- No two rows have the same values in these columns. -#}
{% test one_row_per(model, columns) %}
{{ repeated_keys(model, columns) }}
{% endtest %}
