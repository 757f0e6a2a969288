#!/bin/sh
# DuckDB 2.0.1 has no Parquet type for its 128-bit integers, and writes them as
# DOUBLE without a word. sum() of a BIGINT column is such an integer, so that a
# sum of ids or of microseconds that goes through a file is another number. The
# other way round, a decimal of more than 38 digits, which Parquet has, and
# which BIGNUMERIC of BigQuery needs, is read as DOUBLE, however few digits the
# value itself has: -0.01 of decimal(76, 38) is no longer exact. pyarrow 26.0.1
# reads the same file digit by digit.
#
# Instead: cast to BIGINT, DECIMAL(38, 0) or VARCHAR before COPY; have
# BIGNUMERIC exported as STRING, or as NUMERIC where that holds it.
#
# Writes and reads both, and prints types and values. Needs Python. Exits 1 when
# the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
cat > finding.py <<'PY'
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet

duckdb.sql("copy (select sum(id) as id from (values (9007199254740992::bigint), (1)) t(id)) to 'sum.parquet'")
for source in ("(select sum(id) as id from (values (9007199254740992::bigint), (1)) t(id))", "'sum.parquet'"):
    print(*duckdb.sql(f"select typeof(id), id::varchar from {source}").fetchall()[0])

exact = Decimal("12345678901234567890.01234567890123456789")
pyarrow.parquet.write_table(pa.table({"x": pa.array([exact], pa.decimal256(76, 38))}), "wide.parquet")
print(*duckdb.sql("select typeof(x), x::varchar from 'wide.parquet'").fetchall()[0])
print("pyarrow", pyarrow.parquet.read_table("wide.parquet")["x"][0].as_py() == exact)
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="HUGEINT 9007199254740993
DOUBLE 9007199254740992.0
DOUBLE 1.2345678901234567e+19
pyarrow True"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
