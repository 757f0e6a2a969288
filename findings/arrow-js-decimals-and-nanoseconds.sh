#!/bin/sh
# apache-arrow 21.2.0 for JavaScript reads values of Arrow files otherwise than
# the file says, without an error:
# - A decimal is given without its scale: 123.45 is 12345, as text and as
#   number, though the column's type knows the scale.
# - A timestamp is a number of milliseconds of 53 bits, so that one in
#   nanoseconds loses its last two or three digits, and two different ones may
#   be equal.
#
# Instead: divide by 10 ** type.scale oneself, on the text; read the column's
# raw values (vector.data[0].values), which are the nanoseconds as BigInt.
#
# Writes such columns with pyarrow, and prints what comes out. Needs Node and
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyarrow==26.0.1
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund apache-arrow@21.2.0 >/dev/null 2>&1
cat > finding.py <<'PY'
from decimal import Decimal

import pyarrow as pa

table = pa.table({
    "price": pa.array([Decimal("123.45"), Decimal("-0.01")], pa.decimal128(10, 2)),
    "at": pa.array([1795946400123456789, 1795946400123456788], pa.timestamp("ns")),
})
with pa.OSFile("file.arrow", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table)
PY
cat > finding.mjs <<'JS'
import {readFileSync} from 'node:fs';
import {tableFromIPC} from 'apache-arrow';

const table = tableFromIPC(readFileSync('file.arrow'));
const price = table.getChild('price'), at = table.getChild('at');
console.log('price', price.type.scale, String(price.get(0)), Number(price.get(0)), String(price.get(1)));
console.log('at', at.get(0), at.get(0) === at.get(1), at.data[0].values[0], at.data[0].values[1]);
JS
venv/bin/python finding.py
seen=$(node finding.mjs)
echo "$seen"
wanted="price 2 12345 12345 -1
at 1795946400123.4568 true 1795946400123456789n 1795946400123456788n"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
