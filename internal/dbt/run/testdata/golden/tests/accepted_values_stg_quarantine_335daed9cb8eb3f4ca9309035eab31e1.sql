-- severity warn, after stg_quarantine
select reason as value_field, count(*) as n_records
from `some-project`.`prod_data`.`stg_quarantine`
where reason not in ('tombstone', 'empty', 'no_registry', 'unknown_schema', 'undecodable', 'not_utf8', 'not_json', 'not_object', 'deleted', 'missing_field', 'wrong_type', 'out_of_range', 'unknown_value', 'bad_timestamp', 'absurd_timestamp', 'too_large', 'refused_by_warehouse')
group by reason
