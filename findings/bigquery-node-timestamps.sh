#!/bin/sh
# Google's BigQuery client for Node (@google-cloud/bigquery 9.3.0) changes
# timestamps, without an error:
# - Rows before 1970 whose fraction of a second begins with three zeros come out
#   one second too early: 1960-06-01 10:00:00.000001 is 09:59:59.000001. One in
#   the last second before 1970 comes out after it. The client counts seconds
#   towards 1970 and the rest upwards (in @google-cloud/precise-date).
# - BigQuery.timestamp(text) keeps microseconds only of texts with T and Z. Of
#   BigQuery's own form, 2026-11-29 10:00:00.123456+00, three digits are left,
#   and so are they of one with an offset.
#
# Instead: select UNIX_MICROS(at) as STRING, and pass microseconds as INT64 to
# TIMESTAMP_MICROS.
#
# Gives the client such values, as the API does, and prints what it makes of
# them. Needs Node. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund @google-cloud/bigquery@9.3.0 >/dev/null 2>&1
cat > finding.js <<'JS'
const {BigQuery} = require('@google-cloud/bigquery');

const schema = {fields: [{name: 'at', type: 'TIMESTAMP', mode: 'NULLABLE'}]};
for (const micros of ['-302450399999999', '-500000', '-1500000', '1795946400123456']) {
  const rows = BigQuery.mergeSchemaWithRows_(schema, [{f: [{v: micros}]}], {wrapIntegers: false});
  console.log(micros, rows[0].at.value);
}
for (const text of ['2026-11-29T10:00:00.123456Z', '2026-11-29 10:00:00.123456+00', '2026-11-29T10:00:00.123456+01:00']) {
  console.log(text, BigQuery.timestamp(text).value);
}
JS
seen=$(TZ=UTC node finding.js)
echo "$seen"
wanted="-302450399999999 1960-06-01T09:59:59.000001000Z
-500000 1970-01-01T00:00:00.500Z
-1500000 1969-12-31T23:59:58.500Z
1795946400123456 2026-11-29T10:00:00.123456000Z
2026-11-29T10:00:00.123456Z 2026-11-29T10:00:00.123456000Z
2026-11-29 10:00:00.123456+00 2026-11-29T10:00:00.123Z
2026-11-29T10:00:00.123456+01:00 2026-11-29T09:00:00.123Z"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
