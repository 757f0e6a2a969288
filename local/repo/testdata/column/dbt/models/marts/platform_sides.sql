{{ config(materialized='table') }}

select
    coalesce(platform_side, json_value(extra, '$.platform_side')) as platform_side,
    count(*) as arrivals
from {{ ref('stg_train_arrivals') }}
group by 1
