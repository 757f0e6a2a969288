#!/bin/sh
# The hour that autumn repeats, in DuckDB 2.0.1: a local time in it is taken for
# the second one, where Java and Python (fold 0) take the first. That alone
# moves each such event by an hour between two engines. And date_trunc of a
# TIMESTAMPTZ goes through local time: 00:30 UTC, which is 02:30 in Berlin for
# the first time, is truncated to 01:00 UTC, later than what was given, and both
# hours become one group of twice the size. time_bucket does not.
#
# Instead: set the session's time zone to UTC before truncating to hours, or use
# time_bucket; turn local times to UTC outside of DuckDB.
#
# Prints what DuckDB and Python make of them. Needs Python. Exits 1 when the
# behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 tzdata==2025.2
cat > finding.py <<'PY'
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import duckdb

def hour(expression):
    seconds = duckdb.sql(f"select epoch({expression})").fetchall()[0][0]
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%H:%M")

local = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
print("02:30 in Berlin: Python", local.astimezone(timezone.utc).strftime("%H:%M"),
      "DuckDB", hour("timestamp '2026-10-25 02:30' at time zone 'Europe/Berlin'"))
for zone in ("Europe/Berlin", "UTC"):
    duckdb.sql(f"set timezone = '{zone}'")
    for moment in ("00:30", "01:30"):
        value = f"timestamptz '2026-10-25 {moment}+00'"
        print(zone, moment, "date_trunc", hour(f"date_trunc('hour', {value})"),
              "time_bucket", hour(f"time_bucket(interval 1 hour, {value})"))
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="02:30 in Berlin: Python 00:30 DuckDB 01:30
Europe/Berlin 00:30 date_trunc 01:00 time_bucket 00:00
Europe/Berlin 01:30 date_trunc 01:00 time_bucket 01:00
UTC 00:30 date_trunc 00:00 time_bucket 00:00
UTC 01:30 date_trunc 01:00 time_bucket 01:00"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
