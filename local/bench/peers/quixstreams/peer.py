"""Quix Streams: each topic's JSON into its sink of files."""

import os

from quixstreams import Application
from quixstreams.sinks.community.file.formats import ParquetFormat
from quixstreams.sinks.community.file.local import LocalFileSink

with open(os.environ["PEER_SCHEMA"]) as lines:
    topics = sorted({line.split()[0] for line in lines})
app = Application(
    broker_address=os.environ["PEER_BROKER"], consumer_group=os.environ["PEER_GROUP"], auto_offset_reset="earliest",
    loglevel="WARNING")
# The sink makes a folder for each topic. It takes no path with a hyphen.
os.chdir(os.environ["PEER_OUT"])
for topic in topics:
    app.dataframe(app.topic(topic, value_deserializer="json")).sink(
        LocalFileSink(directory=".", format=ParquetFormat(compression="zstd")))
app.run(count=int(os.environ["PEER_EVENTS"]), collect=False)
