{{ config(tags=['deep']) }}
-- The values of each dimension make the total.
{{ parts_that_miss_the_total(ref('incident_dashboard'), ['incidents']) }}
