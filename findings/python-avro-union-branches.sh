#!/bin/sh
# Python's two Avro libraries write a value of a union with a branch that takes
# its Python type, even where another would keep it whole, without an error, and
# they choose in opposite order: fastavro 1.13.1 takes the first such branch,
# Apache's avro 1.12.2 the last.
# - In [null, double, long] fastavro writes whole numbers as doubles, in [null,
#   long, double] avro does: 9007199254740993 loses its 3.
# - In [null, date, timestamp-micros] fastavro writes a datetime as the date,
#   because datetime is a subclass of date: its time of day is gone.
#
# Instead: have one type of number, and one kind of time, in a union. No order
# of branches serves both libraries.
#
# Writes such values with both, and prints what is read back. Needs Python.
# Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check fastavro==1.13.1 avro==1.12.2
cat > finding.py <<'PY'
import io
import json
from datetime import datetime, timezone

import avro.io
import avro.schema
import fastavro

date = {"type": "int", "logicalType": "date"}
micros = {"type": "long", "logicalType": "timestamp-micros"}
for union, value in (
    (["null", date, micros], datetime(2026, 11, 29, 10, 30, tzinfo=timezone.utc)),
    (["null", "double", "long"], 9007199254740993),
    (["null", "long", "double"], 9007199254740993),
):
    file = io.BytesIO()
    fastavro.schemaless_writer(file, union, value)
    file.seek(0)
    first = fastavro.schemaless_reader(file, union, None)
    file = io.BytesIO()
    schema = avro.schema.parse(json.dumps(union))
    avro.io.DatumWriter(schema).write(value, avro.io.BinaryEncoder(file))
    file.seek(0)
    second = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(file))
    print(value, "fastavro", first, "avro", second)
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="2026-11-29 10:30:00+00:00 fastavro 2026-11-29 avro 2026-11-29 10:30:00+00:00
9007199254740993 fastavro 9007199254740992.0 avro 9007199254740993
9007199254740993 fastavro 9007199254740993 avro 9007199254740992.0"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
