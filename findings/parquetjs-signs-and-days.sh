#!/bin/sh
# @dsnp/parquetjs 1.8.8 (1.9.3 is published without its code) reads Parquet's
# types by what they are stored as, without an error:
# - UINT_32 and UINT_64 come out with a sign: 4294967295 and
#   18446744073709551615 are both -1;
# - of INT96, in which Spark wrote timestamps for years, it takes the
#   nanoseconds of the day and leaves out the day: each date at 10:00 is the
#   same number;
# - a decimal is a Buffer of bytes, whose scale is left to the caller.
# hyparquet 1.33.0 reads all these files, but makes of a decimal a number of 53
# bits: 1234567890123456.78 is 1234567890123456.8.
#
# Instead: hyparquet for integers and timestamps; decimals as strings, cast in
# the query that writes the file.
#
# Writes such columns with pyarrow, and prints what both read. Needs Node and
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyarrow==26.0.1
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund @dsnp/parquetjs@1.8.8 hyparquet@1.33.0 >/dev/null 2>&1
cat > finding.py <<'PY'
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet

pyarrow.parquet.write_table(pa.table({
    "u32": pa.array([4294967295, 1], pa.uint32()),
    "u64": pa.array([18446744073709551615, 1], pa.uint64()),
    "at": pa.array([1795946400000000000, 1796032800000000000], pa.timestamp("ns")),
    "price": pa.array([Decimal("1234567890123456.78"), Decimal("0.10")], pa.decimal128(18, 2)),
}), "file.parquet", use_deprecated_int96_timestamps=True)
PY
cat > finding.mjs <<'JS'
import parquetjs from '@dsnp/parquetjs';
import {asyncBufferFromFile, parquetReadObjects} from 'hyparquet';

function show(name, row) {
  const price = row.price instanceof Uint8Array ? Buffer.from(row.price).toString('hex') : row.price;
  console.log(name, String(row.u32), String(row.u64), row.at instanceof Date ? row.at.toISOString() : String(row.at), price);
}

const reader = await parquetjs.ParquetReader.openFile('file.parquet');
const cursor = reader.getCursor();
show('parquetjs', await cursor.next());
show('parquetjs', await cursor.next());
await reader.close();
for (const row of await parquetReadObjects({file: await asyncBufferFromFile('file.parquet')})) {
  show('hyparquet', row);
}
JS
venv/bin/python finding.py
seen=$(node finding.mjs)
echo "$seen"
wanted="parquetjs -1 -1 36000000000000 01b69b4ba630f34e
parquetjs 1 1 36000000000000 000000000000000a
hyparquet 4294967295 18446744073709551615 2026-11-29T10:00:00.000Z 1234567890123456.8
hyparquet 1 1 2026-11-30T10:00:00.000Z 0.1"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
