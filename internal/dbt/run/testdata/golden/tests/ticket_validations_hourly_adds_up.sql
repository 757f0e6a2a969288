-- severity error, after ticket_validations_hourly
-- Records that report rejected tickets are part of all records. Sums of very
-- large numbers differ in their last digits with the order of summing.
select *
from `some-project`.`prod_data`.`ticket_validations_hourly`
where validation_records < 1
    or tickets_validated is null
    or tickets_validated * 1.000001 < tickets_validated_where_rejected_known
    or (tickets_rejected is null) != (tickets_validated_where_rejected_known is null)
