#!/bin/sh
# pyarrow 26.0.1 takes JSON strings that look like times for times, and forgets
# their offset: "2026-11-29T07:30:00+01:00" becomes a timestamp without a zone,
# 06:30. A string without an offset beside it stays 07:30, so the column mixes
# UTC with local times and nothing tells them apart. One fraction of a second in
# the block, and all stay strings. Its CSV reader, on the same texts, makes a
# timestamp in UTC, or strings where only some have an offset.
#
# Instead: give explicit_schema with the field as string, and parse it oneself.
#
# Reads the same values from JSON and CSV, and prints types and values. Needs
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyarrow==26.0.1
cat > finding.py <<'PY'
import io

import pyarrow.csv
import pyarrow.json

def show(name, table):
    print(name, table.schema.field("t").type, *table["t"].cast("string").to_pylist())

for texts in (["2026-11-29T07:30:00+01:00"], ["2026-11-29T07:30:00+01:00", "2026-11-29T07:30:00"]):
    show("json", pyarrow.json.read_json(io.BytesIO("".join('{"t":"%s"}\n' % t for t in texts).encode())))
    show("csv", pyarrow.csv.read_csv(io.BytesIO("\n".join(["t", *texts]).encode())))
PY
seen=$(venv/bin/python finding.py)
echo "$seen"
wanted="json timestamp[s] 2026-11-29 06:30:00
csv timestamp[s, tz=UTC] 2026-11-29 06:30:00Z
json timestamp[s] 2026-11-29 06:30:00 2026-11-29 07:30:00
csv string 2026-11-29T07:30:00+01:00 2026-11-29T07:30:00"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
