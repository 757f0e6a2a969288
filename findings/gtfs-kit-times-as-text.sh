#!/bin/sh
# GTFS allows a time before ten o'clock to be written with one digit, 8:30:00,
# and many feeds do so. gtfs-kit 13.0.1 compares times as texts in
# get_trips(date, time), so the trips that it says are in service are others
# than those of the same feed with 08:30:00, without an error: one from 8:00 to
# 8:30 is missing at 08:15, one from 9:50 to 10:20 is missing at 10:00 and there
# at 23:00, and one from 08:00 to 8:30 is in service until midnight. Its
# statistics of trips count seconds, and are right.
#
# Instead: call gtfs_kit.clean_times(feed) first, which writes both digits.
#
# Reads a feed with such trips, asks for those in service before and after
# cleaning, and prints them. Needs Python. Exits 1 when the behaviour has
# changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check gtfs-kit==13.0.1
cat > finding.py <<'PY'
import zipfile

import gtfs_kit

files = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n1,Rail,http://localhost,Europe/Berlin\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_type\nr,1,R,2\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
                    "s,1,1,1,1,1,1,1,20261101,20261130\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\na,A,52.0,13.0\nb,B,52.1,13.1\n",
    "trips.txt": "route_id,service_id,trip_id\nr,s,early\nr,s,mixed\nr,s,ten\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
                      "early,8:00:00,8:00:00,a,1\nearly,8:30:00,8:30:00,b,2\n"
                      "mixed,08:00:00,08:00:00,a,1\nmixed,8:30:00,8:30:00,b,2\n"
                      "ten,9:50:00,9:50:00,a,1\nten,10:20:00,10:20:00,b,2\n",
}
with zipfile.ZipFile("feed.zip", "w") as archive:
    for name, text in files.items():
        archive.writestr(name, text)
feed = gtfs_kit.read_feed("feed.zip", dist_units="km")
for name, of in (("as it is", feed), ("cleaned", gtfs_kit.clean_times(feed))):
    for time in ("08:15:00", "10:00:00", "23:00:00"):
        print(name, time, sorted(of.get_trips("20261129", time)["trip_id"].tolist()))
PY
seen=$(venv/bin/python -W ignore finding.py)
echo "$seen"
wanted="as it is 08:15:00 ['mixed']
as it is 10:00:00 ['mixed']
as it is 23:00:00 ['mixed', 'ten']
cleaned 08:15:00 ['early', 'mixed']
cleaned 10:00:00 ['ten']
cleaned 23:00:00 []"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
