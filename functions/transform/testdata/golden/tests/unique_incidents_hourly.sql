-- severity error, after incidents_hourly
select to_json_string(struct(local_hour, station, zone, incident_type, severity)) as value
from `some-project`.`prod_data`.`incidents_hourly`
where to_json_string(struct(local_hour, station, zone, incident_type, severity)) is not null
group by 1
having count(*) > 1
