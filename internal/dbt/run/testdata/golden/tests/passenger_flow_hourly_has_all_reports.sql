-- severity error, after passenger_flow_hourly, int_passenger_flow_hourly

-- No passenger flow record is lost or counted twice on the way.
select *
from (
    select sum(flow_records) as records_missed
    from (
        select flow_records
        from `some-project`.`prod_data`.`passenger_flow_hourly`
        union all
        select 0 - flow_records
        from `some-project`.`prod_data`.`int_passenger_flow_hourly`
    )
)
where records_missed != 0
