{{ config(tags=['deep']) }}
-- The values of each dimension make the total.
{{ parts_that_miss_the_total(ref('train_dashboard'), ['train_arrivals', 'train_departures', 'arrivals_on_time', 'arrivals_late']) }}
