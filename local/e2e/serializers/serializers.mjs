// Serializes with Confluent's client for Node and with KafkaJS's: node
// serializers.mjs URL SCHEMAS. Input and output are those of serializers.py.
import fs from 'node:fs';
import readline from 'node:readline';
import {create, createFileRegistry} from '@bufbuild/protobuf';
import {FileDescriptorProtoSchema, file_google_protobuf_timestamp, timestampFromDate} from '@bufbuild/protobuf/wkt';
import {AvroSerializer, HeaderSchemaIdSerializer, JsonSerializer, ProtobufSerializer, SchemaRegistryClient, SerdeType} from '@confluentinc/schemaregistry';
import {SchemaRegistry, SchemaType} from '@kafkajs/confluent-schema-registry';

const [url, schemas] = process.argv.slice(2);
const client = new SchemaRegistryClient({baseURLs: [url]});
const kafkajs = new SchemaRegistry({host: url});
const read = (topic, suffix) => fs.readFileSync(`${schemas}/${topic}.${suffix}`, 'utf8');
const isMoment = name => name.endsWith('timestamp');
const micros = text => Date.parse(text) * 1000;
const converted = (event, convert) =>
  Object.fromEntries(Object.entries(event).map(([name, v]) => [name, v != null && isMoment(name) ? convert(v) : v]));
const camel = name => name.replace(/_(.)/g, (_, c) => c.toUpperCase());

/** The second message of a file: proto3, some fields without presence. */
function messageOf(topic) {
  const record = JSON.parse(read(topic, 'avsc'));
  const kinds = {string: 9, long: 3, double: 1};
  const oneofDecl = [];
  const field = (f, i) => {
    const optional = Array.isArray(f.type);
    const type = optional ? f.type[1] : f.type;
    const of = typeof type === 'object' ? {type: 11, typeName: '.google.protobuf.Timestamp'} : {type: kinds[type]};
    const presence = optional && {proto3Optional: true, oneofIndex: oneofDecl.push({name: `_${f.name}`}) - 1};
    return {name: f.name, jsonName: camel(f.name), number: i + 1, label: 1, ...of, ...presence};
  };
  const file = create(FileDescriptorProtoSchema, {
    name: `${topic}_node.proto`, package: 'node', syntax: 'proto3', dependency: ['google/protobuf/timestamp.proto'],
    messageType: [{name: 'Unused'}, {name: record.name, field: record.fields.map(field), oneofDecl}],
  });
  const registry = createFileRegistry(file, name => name === 'google/protobuf/timestamp.proto' ? file_google_protobuf_timestamp : undefined);
  return [registry, registry.getMessage(`node.${record.name}`)];
}

/** Confluent's serializers. */
async function confluent(format, topic, inHeader) {
  const subject = `${topic}-node-${format}`;
  const conf = {subjectNameStrategy: () => subject, ...(inHeader && {schemaIdSerializer: HeaderSchemaIdSerializer})};
  if (format === 'protobuf') {
    const [registry, message] = messageOf(topic);
    const serializer = new ProtobufSerializer(client, SerdeType.VALUE, {...conf, autoRegisterSchemas: true, registry});
    const made = event => create(message, Object.fromEntries(Object.entries(event).filter(([, v]) => v != null).map(([name, v]) =>
      [camel(name), isMoment(name) ? timestampFromDate(new Date(v)) : message.fields.find(f => f.name === name).scalar === 3 ? BigInt(v) : v])));
    return (event, headers) => serializer.serialize(topic, made(event), headers);
  }
  const [schemaType, schema] = format === 'avro' ? ['AVRO', read(topic, 'avsc')] : ['JSON', read(topic, 'schema.json')];
  await client.register(subject, {schemaType, schema});
  const serializer = new (format === 'avro' ? AvroSerializer : JsonSerializer)(client, SerdeType.VALUE, {...conf, useLatestVersion: true});
  return (event, headers) => serializer.serialize(topic, format === 'avro' ? converted(event, micros) : event, headers);
}

/** KafkaJS's encoder, which puts no indexes before a message. */
async function encoder(format, topic) {
  const type = {avro: SchemaType.AVRO, protobuf: SchemaType.PROTOBUF, json: SchemaType.JSON}[format];
  let schema = read(topic, {avro: 'avsc', protobuf: 'proto', json: 'schema.json'}[format]);
  if (format === 'protobuf') { // it loads no file that is imported
    schema = schema.replace(/import .*;\n/, '').replaceAll('google.protobuf.Timestamp', 'optional string');
  }
  const {id} = await kafkajs.register({type, schema}, {subject: `${topic}-kafkajs-${format}`});
  return event => kafkajs.encode(id, format === 'protobuf'
    ? Object.fromEntries(Object.entries(event).map(([name, v]) => [camel(name), v]))
    : format === 'avro' ? converted(event, micros) : event);
}

const made = new Map();
for await (const line of readline.createInterface({input: process.stdin})) {
  const [way, topic, text] = line.split('\t');
  if (!made.has(way + topic)) {
    const [format, by] = way.split('-');
    made.set(way + topic, by === 'kafkajs' ? await encoder(format, topic) : await confluent(format, topic, by === 'header'));
  }
  const headers = {};
  const value = await made.get(way + topic)(JSON.parse(text), headers);
  console.log(JSON.stringify({
    value: value.toString('base64'),
    headers: Object.fromEntries(Object.entries(headers).map(([name, v]) => [name, Buffer.from(v).toString('base64')])),
  }));
}
