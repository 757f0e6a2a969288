select
    checked_at,
    count(*) as partitions,
    countif(not complete) as incomplete
from pipeline_completeness
where checked_at >= timestamp_sub(current_timestamp(), interval 1 day)
group by checked_at
order by checked_at desc
limit 1
