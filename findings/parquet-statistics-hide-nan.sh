#!/bin/sh
# Parquet's statistics leave NaN out, so a least and a greatest value do not say
# that there is none. pyarrow 26.0.1 writes them so, as the format asks. Readers
# of such a file conclude too much and lose rows without an error:
# - DuckDB 2.0.1 and DataFusion 55.0.0, to which NaN is greater than every
#   number, leave the row group out for x > 5, and say that max(x) is 2. DuckDB
#   leaves it out even for isnan(x). The same rows in memory, or in a file
#   without statistics, are found.
# - pyarrow's own dataset leaves it out for not (x <= 5), which holds for NaN,
#   and which finds the row once the table is in memory.
#
# Instead: write columns that may hold NaN without statistics
# (write_statistics=[names of the others]); of files that are there already,
# filter what was read, not the scan.
#
# Writes 1, 2 and NaN with and without statistics, and prints what the filters
# find. Needs Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 datafusion==55.0.0 pyarrow==26.0.1
cat > finding.py <<'PY'
import datafusion
import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

table = pa.table({"x": [1.0, 2.0, float("nan")]})
pyarrow.parquet.write_table(table, "with.parquet")
pyarrow.parquet.write_table(table, "without.parquet", write_statistics=False)
context = datafusion.SessionContext()
for name in ("without", "with"):
    context.register_parquet(name, name + ".parquet")
    print(name, "statistics")
    query = "select (select count(*) from {0} where x > 5) a, (select count(*) from {0} where isnan(x)) b, (select max(x) from {0}) c"
    print("DuckDB", *duckdb.sql(query.format(f"'{name}.parquet'")).fetchall()[0])
    print("DataFusion", *(column[0] for column in context.sql(query.format(f'"{name}"')).to_pydict().values()))
    print("pyarrow", pyarrow.dataset.dataset(name + ".parquet").to_table(filter=~(pyarrow.dataset.field("x") <= 5)).num_rows)
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="without statistics
DuckDB 1 1 nan
DataFusion 1 1 nan
pyarrow 1
with statistics
DuckDB 0 0 2.0
DataFusion 0 1 2.0
pyarrow 0"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
