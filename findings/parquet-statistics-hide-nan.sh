#!/bin/sh
# Parquet's statistics leave NaN out, so a least and a greatest value do not say
# that there is none. pyarrow 26.0.1 writes them so, as the format asks. Two
# readers of such a file conclude too much and lose rows without an error:
# - DuckDB 2.0.0, where NaN is greater than every number, leaves the row group
#   out for x > 5, for x = 'nan' and even for isnan(x), and max(x) is 2. The same
#   rows in memory give one row each, and NaN as the greatest value.
# - pyarrow's own dataset leaves it out for not (x <= 5), which holds for NaN, and
#   which finds the row once the table is in memory.
#
# Instead: write columns that may hold NaN without statistics
# (write_statistics=[names of the others]); of files that are there already,
# filter what was read, not the scan.
#
# Writes 1, 2 and NaN, and prints what the filters find. Needs Python. Exits 1
# when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1
cat > finding.py <<'PY'
import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

memory = pa.table({"x": [1.0, 2.0, float("nan")]})
pyarrow.parquet.write_table(memory, "with.parquet")
pyarrow.parquet.write_table(memory, "without.parquet", write_statistics=False)
for name in ("memory", "'without.parquet'", "'with.parquet'"):
    found = [duckdb.sql(f"select count(*) from {name} where {where}").fetchall()[0][0] for where in ("x > 5", "x = 'nan'", "isnan(x)")]
    print("DuckDB", name, *found, duckdb.sql(f"select max(x) from {name}").fetchall()[0][0])
above = ~(pyarrow.dataset.field("x") <= 5)
for name in ("without", "with"):
    print("pyarrow", name, pyarrow.dataset.dataset(name + ".parquet").to_table(filter=above).num_rows)
print("pyarrow memory", memory.filter(above).num_rows)
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="DuckDB memory 1 1 1 nan
DuckDB 'without.parquet' 1 1 1 nan
DuckDB 'with.parquet' 0 0 0 2.0
pyarrow without 1
pyarrow with 0
pyarrow memory 1"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
