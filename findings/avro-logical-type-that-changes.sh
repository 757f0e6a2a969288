#!/bin/sh
# A field of an Avro schema changes from timestamp-millis to timestamp-micros,
# or a decimal from scale 2 to 3. To Java's library (avro 1.12.2), whose check
# registries build on, that is compatible, because the types below are the same.
# It then reads old values by the new schema: 2026 becomes 1970, and 1.23
# becomes 0.123, without an error. hamba/avro for Go does so too. fastavro
# 1.13.1 and Apache's own library for Python read them by the writer's schema,
# and rightly. So consumers in two languages disagree about every old record of
# a topic.
#
# Instead: add a field with the new type and another name.
#
# Writes a record with the old schema, reads it with the new one in Java and in
# Python, and prints both. Needs Java, Maven and Python. Exits 1 when the
# behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > old.avsc <<'JSON'
{"type":"record","name":"event","fields":[{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}
JSON
sed 's/timestamp-millis/timestamp-micros/; s/"scale":2/"scale":3/' old.avsc > new.avsc
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check fastavro==1.13.1
cat > finding.py <<'PY'
from datetime import datetime, timezone
from decimal import Decimal

import fastavro
import fastavro.schema

old, new = fastavro.schema.load_schema("old.avsc"), fastavro.schema.load_schema("new.avsc")
with open("record", "wb") as file:
    fastavro.schemaless_writer(file, old, {"at": datetime(2026, 11, 29, tzinfo=timezone.utc), "price": Decimal("1.23")})
with open("record", "rb") as file:
    read = fastavro.schemaless_reader(file, old, new)
print("Python", read["at"].date(), read["price"])
PY
cat > pom.xml <<'XML'
<project><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>1.12.2</version></dependency>
</dependencies></project>
XML
cat > Finding.java <<'JAVA'
import java.io.File;
import java.nio.file.*;
import org.apache.avro.*;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.*;
import org.apache.avro.io.DecoderFactory;

class Finding {
  public static void main(String[] args) throws Exception {
    Schema old = new Schema.Parser().parse(new File("old.avsc")), now = new Schema.Parser().parse(new File("new.avsc"));
    GenericData data = new GenericData();
    data.addLogicalTypeConversion(new Conversions.DecimalConversion());
    data.addLogicalTypeConversion(new TimeConversions.TimestampMicrosConversion());
    var decoder = DecoderFactory.get().binaryDecoder(Files.readAllBytes(Path.of("record")), null);
    GenericRecord read = new GenericDatumReader<GenericRecord>(old, now, data).read(null, decoder);
    System.out.println("Java " + read.get("at").toString().substring(0, 10) + " " + read.get("price") + " "
        + SchemaCompatibility.checkReaderWriterCompatibility(now, old).getType());
  }
}
JAVA
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >/dev/null
seen=$(venv/bin/python finding.py && java -cp 'lib/*' Finding.java 2>/dev/null)
echo "$seen"
wanted="Python 2026-11-29 1.23
Java 1970-01-21 0.123 COMPATIBLE"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
