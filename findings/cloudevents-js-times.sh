#!/bin/sh
# The CloudEvents SDK for JavaScript (cloudevents 10.0.0) sends and reads an
# event's time through a Date: nanoseconds and microseconds are cut to
# milliseconds, and the offset is given up for UTC, although the event that was
# made still shows the text as it was. A service that only forwards events
# changes the time of each, and who compares or removes duplicates by source and
# time no longer finds them equal.
#
# Instead: send what came in as it is (headers and body) where an event is only
# forwarded, or keep the exact time in an extension or in the data.
#
# Makes, sends and reads events, and prints their times. Needs Node. Exits 1
# when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund cloudevents@10.0.0 >/dev/null 2>&1
cat > finding.mjs <<'JS'
import {CloudEvent, HTTP} from 'cloudevents';

const required = {id: '1', source: '/station', type: 'arrival', specversion: '1.0'};
for (const time of ['2026-11-29T10:00:00.123456789Z', '2026-11-29T11:00:00+01:00']) {
  const event = new CloudEvent({...required, time});
  const headers = Object.fromEntries(Object.entries({...required, time}).map(([name, value]) => ['ce-' + name, value]));
  const read = HTTP.toEvent({headers});
  console.log('made', event.time, 'sent', HTTP.binary(event).headers['ce-time'], 'read', read.time,
    'forwarded', JSON.parse(HTTP.structured(read).body).time);
}
JS
seen=$(node finding.mjs)
echo "$seen"
wanted="made 2026-11-29T10:00:00.123456789Z sent 2026-11-29T10:00:00.123Z read 2026-11-29T10:00:00.123Z forwarded 2026-11-29T10:00:00.123Z
made 2026-11-29T11:00:00+01:00 sent 2026-11-29T10:00:00.000Z read 2026-11-29T10:00:00.000Z forwarded 2026-11-29T10:00:00.000Z"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
