{{ config(tags=['deep']) }}
-- The values of each dimension make the total.
{{ parts_that_miss_the_total(ref('ticket_dashboard'), ['tickets_validated', 'tickets_rejected']) }}
