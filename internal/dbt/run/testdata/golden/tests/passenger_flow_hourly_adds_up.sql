-- severity error, after passenger_flow_hourly
-- Entered and exited make the total, a missing part as 0.
select *
from `some-project`.`prod_data`.`passenger_flow_hourly`
where passengers_total is distinct from if(
    passengers_entered is null and passengers_exited is null,
    null,
    coalesce(passengers_entered, 0) + coalesce(passengers_exited, 0)
)
