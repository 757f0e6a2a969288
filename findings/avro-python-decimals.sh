#!/bin/sh
# Apache's avro 1.12.2 for Python takes the digits of a Decimal as they are, and
# not its value at the schema's scale. One with fewer digits behind the point
# than the scale is written 10 or 100 times too small, without an error: 1.5 in
# a decimal of scale 2 is read back as 0.15, by every library. It does not look
# at the precision either: 12345.67 in one of 4 digits is written whole, and
# rounded when it is read. fastavro 1.13.1 writes the first rightly, and refuses
# the second.
#
# Instead: value.quantize(Decimal("0.01")) before writing; or fastavro.
#
# Writes such numbers with both, reads them with fastavro and avro, and prints
# them. Needs Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check fastavro==1.13.1 avro==1.12.2
cat > finding.py <<'PY'
import io
import json
from decimal import Decimal

import avro.io
import avro.schema
import fastavro

kind = {"logicalType": "decimal", "precision": 4, "scale": 2}
for schema in ({"type": "bytes", **kind}, {"type": "fixed", "name": "price", "size": 4, **kind}):
    parsed = avro.schema.parse(json.dumps(schema))
    for text in ("1.50", "1.5", "12345.67"):
        file = io.BytesIO()
        avro.io.DatumWriter(parsed).write(Decimal(text), avro.io.BinaryEncoder(file))
        file.seek(0)
        by_avro = avro.io.DatumReader(parsed).read(avro.io.BinaryDecoder(file))
        file.seek(0)
        by_fastavro = fastavro.schemaless_reader(file, schema, None)
        try:
            file = io.BytesIO()
            fastavro.schemaless_writer(file, schema, Decimal(text))
            file.seek(0)
            other = fastavro.schemaless_reader(file, schema, None)
        except ValueError:
            other = "refused"
        print(schema["type"], text, "avro:", by_avro, by_fastavro, "fastavro:", other)
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="bytes 1.50 avro: 1.50 1.50 fastavro: 1.50
bytes 1.5 avro: 0.15 0.15 fastavro: 1.50
bytes 12345.67 avro: 1.235E+4 1.235E+4 fastavro: refused
fixed 1.50 avro: 1.50 1.50 fastavro: 1.50
fixed 1.5 avro: 0.15 0.15 fastavro: 1.50
fixed 12345.67 avro: 1.235E+4 1.235E+4 fastavro: refused"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
