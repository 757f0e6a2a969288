"""Serializes events with Confluent's client for Python.

Reads lines from its input: a way, a topic and an event as JSON, between tabs.
Writes for each, in that order, a line of JSON: the record's value and headers,
in base64.

usage: serializers.py URL SCHEMAS
"""
import base64
import json
import sys
from datetime import datetime

from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

url, schemas = sys.argv[1:]
client = SchemaRegistryClient({"url": url})


def subject(format):
    return lambda context, record: f"{context.topic}-python-{format}"


def avro_schema(topic):
    with open(f"{schemas}/{topic}.avsc") as file:
        return file.read()


def message_class(topic):
    """The message of a topic, made of its Avro schema's fields: proto3, some without presence."""
    record = json.loads(avro_schema(topic))
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{topic}.proto", package="python", syntax="proto3", dependency=["google/protobuf/timestamp.proto"])
    file.message_type.add(name="Unused")
    message = file.message_type.add(name=record["name"])
    kinds = {"string": 9, "long": 3, "double": 1}
    for number, field in enumerate(record["fields"], 1):
        kind = field["type"]
        optional = isinstance(kind, list)
        kind = kind[1] if optional else kind
        added = message.field.add(name=field["name"], number=number, label=1)
        if isinstance(kind, dict):
            added.type, added.type_name = 11, ".google.protobuf.Timestamp"
        else:
            added.type = kinds[kind]
            if optional:
                added.proto3_optional, added.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name="_" + field["name"])
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"python.{record['name']}"))


def moments(topic, event):
    return {name: datetime.fromisoformat(value) if name.endswith("timestamp") and value else value for name, value in event.items()}


def to_message(cls):
    def convert(topic, event):
        message = cls()
        for name, value in event.items():
            if value is None:
                continue
            if name.endswith("timestamp"):
                getattr(message, name).FromDatetime(datetime.fromisoformat(value))
            else:
                setattr(message, name, value)
        return message
    return convert


def make(way, topic):
    format, _, header = way.partition("-")
    config = {"subject.name.strategy": subject(format)}
    if header:
        config["schema.id.serializer"] = header_schema_id_serializer
    if format == "avro":
        return AvroSerializer(client, avro_schema(topic), conf=config), moments
    if format == "protobuf":
        cls = message_class(topic)
        return ProtobufSerializer(cls, client, conf=config | {"use.deprecated.format": False}), to_message(cls)
    with open(f"{schemas}/{topic}.schema.json") as file:
        return JSONSerializer(file.read(), client, conf=config), lambda topic, event: event


def encoded(data):
    return base64.b64encode(data).decode()


serializers = {}
for line in sys.stdin:
    way, topic, text = line.rstrip("\n").split("\t")
    if (way, topic) not in serializers:
        serializers[way, topic] = make(way, topic)
    serialize, convert = serializers[way, topic]
    context = SerializationContext(topic, MessageField.VALUE, [])
    value = serialize(convert(topic, json.loads(text)), context)
    headers = context.headers if isinstance(context.headers, dict) else dict(context.headers or [])
    print(json.dumps({"value": encoded(value), "headers": {name: encoded(data) for name, data in headers.items()}}))
