#!/bin/sh
# A reader's schema has a field that the writer's lacks, so the field's default
# counts. A default is written as JSON, and has to become a value of the field's
# type (Avro's specification: a string's code points 0 to 255 are the bytes of a
# bytes or fixed). Two libraries hand it on as it is, without an error:
# - fastavro 1.13.1 gives str for bytes, the text 'NaN' for a double, and plain
#   numbers for dates and timestamps, though each record that has the field
#   gives bytes, float and datetime;
# - Apache's avro 1.12.2 encodes the string as UTF-8: the byte ff becomes two.
#
# Instead: make the new field a union with null first and null as its default,
# and put the value in by hand.
#
# Reads a record without these fields with both, and prints the defaults. Needs
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check fastavro==1.13.1 avro==1.12.2
cat > finding.py <<'PY'
import io
import json

import avro.io
import avro.schema
import fastavro

def record(*fields):
    return {"type": "record", "name": "event", "fields": [{"name": "id", "type": "int"}, *fields]}

code = {"name": "code", "type": "bytes", "default": "\u00ff"}
seen = {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0}
share = {"name": "share", "type": "double", "default": "NaN"}
data = bytes([2])  # a record with the id 1
print("fastavro", fastavro.schemaless_reader(io.BytesIO(data), record(), record(code, seen, share)))
reader = avro.io.DatumReader(avro.schema.parse(json.dumps(record())), avro.schema.parse(json.dumps(record(code, seen))))
print("avro", reader.read(avro.io.BinaryDecoder(io.BytesIO(data))))
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="fastavro {'id': 1, 'code': 'ÿ', 'seen': 0, 'share': 'NaN'}
avro {'id': 1, 'code': b'\\xc3\\xbf', 'seen': 0}"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
