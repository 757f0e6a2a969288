{{ config(tags=['deep']) }}
-- The values of each dimension make the total.
{{ parts_that_miss_the_total(ref('passenger_flow_dashboard'), ['passengers_entered', 'passengers_exited', 'passengers_total']) }}
