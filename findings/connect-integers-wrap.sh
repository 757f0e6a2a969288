#!/bin/sh
# Kafka Connect 4.4.0 changes whole numbers that do not fit, without an error:
# - JsonConverter without schemas takes every whole number for 64 bits and
#   wraps: 18446744073709551615, an id of 64 bits without a sign, is stored as
#   -1. With schemas it wraps to the type that is named: 300 as int8 is 44.
# - The Cast transformation wraps whole numbers and clamps fractions: 4294967297
#   as int32 is 1, and 3e10 is 2147483647. From a string it refuses both.
# No dead letter queue sees these records, for nothing fails.
#
# Instead: send such ids as strings; check the range before Cast.
#
# Converts such numbers, and prints what comes out. Needs Java and Maven. Exits
# 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'XML'
<project><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId><version>4.4.0</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-transforms</artifactId><version>4.4.0</version></dependency>
</dependencies></project>
XML
cat > Finding.java <<'JAVA'
import java.util.Map;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Cast;

class Finding {
  static void json(boolean schemas, String text) {
    JsonConverter converter = new JsonConverter();
    converter.configure(Map.of("schemas.enable", schemas), false);
    System.out.println(text + " is " + converter.toConnectData("events", text.getBytes()).value());
  }

  static void cast(String type, Object value) {
    var cast = new Cast.Value<SourceRecord>();
    cast.configure(Map.of("spec", type));
    try {
      System.out.println(value + " as " + type + " is " + cast.apply(new SourceRecord(null, null, "events", 0, null, value)).value());
    } catch (DataException e) {
      System.out.println("\"" + value + "\" as " + type + " is refused");
    }
  }

  public static void main(String[] args) {
    json(false, "{\"id\":18446744073709551615}");
    json(true, "{\"schema\":{\"type\":\"int8\"},\"payload\":300}");
    cast("int32", 4294967297L);
    cast("int32", 3e10);
    cast("int32", "4294967297");
  }
}
JAVA
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >/dev/null
seen=$(java -cp 'lib/*' Finding.java 2>/dev/null)
echo "$seen"
wanted='{"id":18446744073709551615} is {id=-1}
{"schema":{"type":"int8"},"payload":300} is 44
4294967297 as int32 is 1
3.0E10 as int32 is 2147483647
"4294967297" as int32 is refused'
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
