select
    kind,
    what,
    station,
    zone,
    severity,
    began_at,
    ends_at
from recent_disturbances
where ends_at > timestamp '{moment}'
