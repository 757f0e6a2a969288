-- severity error, after equipment_failures_hourly
select to_json_string(struct(local_hour, station, zone, equipment)) as value
from `some-project`.`prod_data`.`equipment_failures_hourly`
where to_json_string(struct(local_hour, station, zone, equipment)) is not null
group by 1
having count(*) > 1
