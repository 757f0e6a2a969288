-- severity error, after incidents_hourly
select local_hour, station, zone, incident_type, severity
from `some-project`.`prod_data`.`incidents_hourly`
group by local_hour, station, zone, incident_type, severity
having count(*) > 1
