#!/bin/sh
# sqlglot 30.30.0 leaves these functions of BigQuery as they are for DuckDB
# 2.0.1, which has them too, with other results, and warns of none:
# - CAST of FLOAT64 to INT64 rounds halves away from zero in BigQuery, to the
#   even neighbour in DuckDB: 2.5 is 3 there and 2 here.
# - \ escapes in a LIKE pattern of BigQuery; in DuckDB it is a plain character
#   unless ESCAPE says otherwise, so that a filter on 'gate\_1' finds nothing.
# - SUBSTR from position 0 begins at the first character in BigQuery, before it
#   in DuckDB, which gives one character less.
# - INSTR from the end (position -1) becomes a search behind that position.
# What BigQuery gives is by its documentation of these functions.
#
# Instead: ROUND before CAST, STARTS_WITH or REGEXP_CONTAINS in place of
# patterns with escapes, positions from 1.
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

for bigquery, expression in (
    ("3", "CAST(CAST(2.5 AS FLOAT64) AS INT64)"),
    ("True", r"'gate_1' LIKE 'gate\\_1'"),
    ("ab", "SUBSTR('abc', 0, 2)"),
    ("4", "INSTR('banana', 'an', -1)"),
):
    statement = sqlglot.transpile("SELECT " + expression, read="bigquery", write="duckdb")[0]
    print(bigquery, duckdb.sql(statement).fetchall()[0][0], statement)
PY
seen=$(venv/bin/python finding.py 2>&1)
echo "$seen"
wanted="3 2
True False
ab a
4 0"
[ "$(echo "$seen" | cut -d ' ' -f 1,2)" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
