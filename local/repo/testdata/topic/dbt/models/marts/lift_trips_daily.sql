{{ config(materialized='view') }}

select
    date(left_at_local) as local_date,
    station,
    count(*) as trips,
    sum(riders) as riders
from {{ ref('stg_lift_trips') }}
group by 1, 2
