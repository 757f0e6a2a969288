#!/bin/sh
# Kafka Connect's TimestampConverter 4.4.0 reads texts with Java's
# SimpleDateFormat, leniently, and so makes other times of them, without an
# error:
# - S counts milliseconds, however many there are: with the format that fits it,
#   10:00:00.123456 is 10:02:03.456.
# - What follows the format is passed over: with yyyy-MM-dd'T'HH:mm:ss the text
#   2026-11-29T10:00:00+02:00 is 10:00 UTC, two hours late, and half a second
#   goes.
# - unix.precision=microseconds rounds towards 1970, so -1 is 1970 itself.
#
# Instead: have producers send milliseconds since 1970, or pass the text on as
# it is and parse it in the warehouse.
#
# Converts such values, and prints what comes out. Needs Java and Maven. Exits 1
# when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'XML'
<project><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-transforms</artifactId><version>4.4.0</version></dependency>
</dependencies></project>
XML
cat > Finding.java <<'JAVA'
import java.util.*;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.TimestampConverter;

class Finding {
  static void show(String setting, String given, Object value) {
    var converter = new TimestampConverter.Value<SourceRecord>();
    converter.configure(new HashMap<>(Map.of("target.type", "Timestamp", setting, given)));
    Date read = (Date) converter.apply(new SourceRecord(null, null, "events", 0, null, value)).value();
    System.out.println(given + " " + value + " is " + read.toInstant());
  }

  public static void main(String[] args) {
    show("format", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "2026-11-29T10:00:00.123456");
    show("format", "yyyy-MM-dd'T'HH:mm:ss", "2026-11-29T10:00:00+02:00");
    show("format", "yyyy-MM-dd'T'HH:mm:ss", "2026-11-29T10:00:00.5");
    show("unix.precision", "microseconds", -1L);
  }
}
JAVA
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >/dev/null
seen=$(java -cp 'lib/*' Finding.java 2>/dev/null)
echo "$seen"
wanted="yyyy-MM-dd'T'HH:mm:ss.SSSSSS 2026-11-29T10:00:00.123456 is 2026-11-29T10:02:03.456Z
yyyy-MM-dd'T'HH:mm:ss 2026-11-29T10:00:00+02:00 is 2026-11-29T10:00:00Z
yyyy-MM-dd'T'HH:mm:ss 2026-11-29T10:00:00.5 is 2026-11-29T10:00:00Z
microseconds -1 is 1970-01-01T00:00:00Z"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
