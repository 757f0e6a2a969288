#!/bin/sh
# sqlglot 30.30.0 turns BigQuery SQL into DuckDB's that parses, runs and means
# something else, where times are concerned, without a warning:
# - TIMESTAMP_DIFF counts whole intervals in BigQuery: 1 minute is 0 hours. It
#   becomes DATE_DIFF, which counts how often a new hour begins: 1.
# - The time zone of FORMAT_TIMESTAMP and of PARSE_TIMESTAMP is left out.
# - EXTRACT(DAYOFWEEK) of a Sunday is 1 in BigQuery, 0 in DuckDB.
# - EXTRACT(WEEK) begins with the year's first Sunday in BigQuery, and is 0
#   before it; DuckDB's is the ISO week.
# - UNIX_SECONDS goes down to the second before; the cast that stands for it
#   rounds, so that 23:59:59.5 is the next day.
# What BigQuery gives is by its documentation of these functions.
#
# Instead: look at each such function before a model's tests run on DuckDB;
# DATE_SUB('hour', …), FLOOR(EPOCH(…)) and an explicit AT TIME ZONE say it.
#
# Runs what comes out, and prints BigQuery's result, DuckDB's and the statement.
# Needs Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check sqlglot==30.30.0 duckdb==2.0.1
cat > finding.py <<'PY'
import duckdb
import sqlglot

duckdb.sql("set timezone = 'UTC'")
for bigquery, expression in (
    ("0", "TIMESTAMP_DIFF(TIMESTAMP '2026-11-29 10:00:00+00', TIMESTAMP '2026-11-29 09:59:00+00', HOUR)"),
    ("00:30", "FORMAT_TIMESTAMP('%H:%M', TIMESTAMP '2026-11-29 23:30:00+00', 'Europe/Berlin')"),
    ("1795942800", "UNIX_SECONDS(PARSE_TIMESTAMP('%Y-%m-%d %H:%M', '2026-11-29 10:00', 'Europe/Berlin'))"),
    ("1", "EXTRACT(DAYOFWEEK FROM DATE '2026-11-29')"),
    ("0", "EXTRACT(WEEK FROM DATE '2026-01-03')"),
    ("1795996799", "UNIX_SECONDS(TIMESTAMP '2026-11-29 23:59:59.5+00')"),
):
    statement = sqlglot.transpile("SELECT " + expression, read="bigquery", write="duckdb")[0]
    print(bigquery, duckdb.sql(statement).fetchall()[0][0], statement)
PY
seen=$(venv/bin/python finding.py 2>&1)
echo "$seen"
wanted="0 1
00:30 23:30
1795942800 1795946400
1 0
0 1
1795996799 1795996800"
[ "$(echo "$seen" | cut -d ' ' -f 1,2)" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
