"""Reads with confluent-kafka, parses and writes with pyarrow, without a framework."""

import io
import os

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
from confluent_kafka import Consumer

ROWS = 100_000  # of a row group
TYPES = {"string": pa.string(), "bigint": pa.int64(), "double": pa.float64(), "timestamp": pa.timestamp("us", tz="UTC")}
ORIGIN = [("kafka_partition", pa.int32()), ("kafka_offset", pa.int64()), ("kafka_timestamp", pa.timestamp("ms", tz="UTC"))]


class Topic:
    """The records of a topic that are not written yet, and its file."""

    def __init__(self, name, fields):
        self.schema = pa.schema(fields)
        folder = os.path.join(os.environ["PEER_OUT"], name)
        os.makedirs(folder)
        self.file = pa.parquet.ParquetWriter(
            os.path.join(folder, "0.parquet"), pa.schema([*fields, *ORIGIN]), compression="zstd")
        self.clear()

    def clear(self):
        self.values, self.partitions, self.offsets, self.times = [], [], [], []

    def write(self):
        if not self.values:
            return
        table = pa.json.read_json(
            io.BytesIO(b"\n".join(self.values)),
            parse_options=pa.json.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior="ignore"))
        for (name, kind), column in zip(ORIGIN, (self.partitions, self.offsets, self.times)):
            table = table.append_column(name, pa.array(column, kind))
        self.file.write_table(table)
        self.clear()


def main():
    fields = {}
    with open(os.environ["PEER_SCHEMA"]) as lines:
        for line in lines:
            topic, field, kind = line.split()
            fields.setdefault(topic, []).append((field, TYPES[kind]))
    topics = {name: Topic(name, of) for name, of in fields.items()}
    consumer = Consumer({
        "bootstrap.servers": os.environ["PEER_BROKER"], "group.id": os.environ["PEER_GROUP"],
        "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe(list(topics))
    left = int(os.environ["PEER_EVENTS"])
    while left > 0:
        for message in consumer.consume(10_000, timeout=1):
            if message.error():
                raise SystemExit(f"reading from Kafka: {message.error()}")
            topic = topics[message.topic()]
            topic.values.append(message.value())
            topic.partitions.append(message.partition())
            topic.offsets.append(message.offset())
            topic.times.append(message.timestamp()[1])
            if len(topic.values) == ROWS:
                topic.write()
            left -= 1
    for topic in topics.values():
        topic.write()
        topic.file.close()
    consumer.commit(asynchronous=False)
    consumer.close()


main()
