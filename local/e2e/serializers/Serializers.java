import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.TimestampProto;
import com.google.protobuf.util.Timestamps;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiFunction;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serializer;

/** Serializes with Apicurio's client for Java: Serializers URL SCHEMAS. Input and output are those of serializers.py. */
public class Serializers {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Map<String, String> OPTIONS = Map.of(
      "header", "apicurio.registry.headers.enabled=true",
      "long", "apicurio.registry.id-handler=io.apicurio.registry.serde.Legacy8ByteIdHandler",
      "text", "apicurio.registry.avro.encoding=JSON");

  public static void main(String[] args) throws Exception {
    Map<String, BiFunction<Headers, JsonNode, byte[]>> made = new HashMap<>();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = input.readLine()) != null; ) {
      String[] parts = line.split("\t", 3);
      if (!made.containsKey(parts[0] + parts[1])) {
        made.put(parts[0] + parts[1], make(args[0], Path.of(args[1]), parts[0].split("-"), parts[1]));
      }
      var headers = new RecordHeaders();
      byte[] value = made.get(parts[0] + parts[1]).apply(headers, JSON.readTree(parts[2]));
      Map<String, byte[]> sent = new HashMap<>();
      headers.forEach(header -> sent.put(header.key(), header.value()));
      System.out.println(JSON.writeValueAsString(Map.of("value", value, "headers", sent))); // bytes become base64
    }
  }

  static BiFunction<Headers, JsonNode, byte[]> make(String url, Path schemas, String[] way, String topic) throws Exception {
    Map<String, Object> config = new HashMap<>(Map.of(
        "apicurio.registry.url", url,
        "apicurio.registry.auto-register", true,
        "apicurio.registry.artifact.artifact-id", topic + "-java-" + way[0]));
    if (way.length > 1) {
      String[] option = OPTIONS.get(way[1]).split("=");
      config.put(option[0], option[1]);
    }
    Schema record = new Schema.Parser().parse(Files.readString(schemas.resolve(topic + ".avsc")));
    switch (way[0]) {
      case "avro":
        var avro = configured(new AvroKafkaSerializer<GenericData.Record>(), config);
        return (headers, event) -> avro.serialize(topic, headers, recordOf(record, event));
      case "protobuf":
        Descriptor type = messageType(topic, record);
        var protobuf = configured(new ProtobufKafkaSerializer<DynamicMessage>(), config);
        return (headers, event) -> protobuf.serialize(topic, headers, messageOf(type, event));
      default:
        config.put("apicurio.registry.artifact.schema.location", topic + ".schema.json"); // on the class path
        var json = configured(new JsonSchemaKafkaSerializer<JsonNode>(), config);
        return (headers, event) -> json.serialize(topic, headers, event);
    }
  }

  static <T> Serializer<T> configured(Serializer<T> serializer, Map<String, Object> config) {
    serializer.configure(config, false);
    return serializer;
  }

  static GenericData.Record recordOf(Schema schema, JsonNode event) {
    var record = new GenericData.Record(schema);
    event.properties().forEach(field -> record.put(field.getKey(), plain(field.getKey(), schema.getField(field.getKey()).schema(), field.getValue())));
    return record;
  }

  static Object plain(String name, Schema schema, JsonNode value) {
    if (value.isNull()) {
      return null;
    }
    if (isMoment(name)) {
      var at = OffsetDateTime.parse(value.asText());
      return at.toEpochSecond() * 1_000_000 + at.getNano() / 1000;
    }
    switch (schema.getType()) {
      case UNION: return plain(name, schema.getTypes().get(1), value);
      case LONG: return value.asLong();
      case DOUBLE: return value.asDouble();
      default: return value.asText();
    }
  }

  static boolean isMoment(String name) {
    return name.endsWith("timestamp");
  }

  /** The message of a topic: proto3, some fields without presence. */
  static Descriptor messageType(String topic, Schema record) throws Exception {
    var message = DescriptorProto.newBuilder().setName(record.getName());
    for (Schema.Field field : record.getFields()) {
      var added = message.addFieldBuilder().setName(field.name()).setNumber(field.pos() + 1).setLabel(FieldDescriptorProto.Label.LABEL_OPTIONAL);
      Schema of = field.schema().isUnion() ? field.schema().getTypes().get(1) : field.schema();
      if (field.schema().isUnion()) {
        added.setProto3Optional(true).setOneofIndex(message.getOneofDeclCount());
        message.addOneofDeclBuilder().setName("_" + field.name());
      }
      if (isMoment(field.name())) {
        added.setType(FieldDescriptorProto.Type.TYPE_MESSAGE).setTypeName(".google.protobuf.Timestamp");
      } else {
        added.setType(FieldDescriptorProto.Type.valueOf("TYPE_" + (of.getType() == Schema.Type.LONG ? "INT64" : of.getType().name())));
      }
    }
    var file = FileDescriptorProto.newBuilder().setName(topic + "_java.proto").setPackage("java").setSyntax("proto3")
        .addDependency("google/protobuf/timestamp.proto").addMessageType(message);
    return FileDescriptor.buildFrom(file.build(), new FileDescriptor[] {TimestampProto.getDescriptor()}).getMessageTypes().get(0);
  }

  static DynamicMessage messageOf(Descriptor type, JsonNode event) {
    var message = DynamicMessage.newBuilder(type);
    event.properties().forEach(field -> {
      var of = type.findFieldByName(field.getKey());
      JsonNode value = field.getValue();
      if (value.isNull()) {
        return;
      }
      switch (of.getType()) {
        case MESSAGE: message.setField(of, moment(value.asText())); break;
        case INT64: message.setField(of, value.asLong()); break;
        case DOUBLE: message.setField(of, value.asDouble()); break;
        default: message.setField(of, value.asText());
      }
    });
    return message.build();
  }

  static com.google.protobuf.Timestamp moment(String text) {
    try {
      return Timestamps.parse(text);
    } catch (java.text.ParseException fault) {
      throw new IllegalArgumentException(fault);
    }
  }
}
