#!/bin/sh
# Runs one Apache Kafka broker in the foreground, until it is signalled.
#
#   scripts/kafka.sh FOLDER
#   scripts/kafka.sh --fetch     only fetches the broker, if it is not there yet
#   scripts/kafka.sh --java FILE [ARGUMENT...]
#                                runs a Java source file with Kafka's own clients instead
#
# It needs Java 17 and Maven, and fetches the broker once (some 45 MB, into
# XDG_CACHE_HOME). FOLDER keeps its data, and ca.pem, the authority of its
# certificate. On 127.0.0.1 it listens at PORT (9092 unless set) in plaintext,
# at PORT+1 for itself, at PORT+2 with SASL and at PORT+3 with SASL and TLS.
# The user is alice with the password alice-secret, as PLAIN or SCRAM-SHA-512.
# The tests against Apache Kafka run it: STATIONFLOW_KAFKA=scripts/kafka.sh
set -eu

if [ $# -eq 0 ] || [ $# -gt 1 ] && [ "$1" != --java ]; then
	sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
version=4.4.0 port=${PORT:-9092}
jars=${XDG_CACHE_HOME:-$HOME/.cache}/stationflow/kafka-$version

fetch() {
	temporary=$(mktemp -d)
	trap 'rm -rf "$temporary"' EXIT
	cat >"$temporary/pom.xml" <<-POM
		<project>
		  <modelVersion>4.0.0</modelVersion>
		  <groupId>io.stationflow</groupId><artifactId>broker</artifactId><version>1</version>
		  <dependencies>
		    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
		    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
		  </dependencies>
		</project>
	POM
	mvn --quiet --batch-mode -Dstyle.color=never --file "$temporary/pom.xml" dependency:copy-dependencies \
		-DincludeScope=runtime "-DoutputDirectory=$temporary/jars" >&2
	mkdir -p "$(dirname "$jars")"
	mv "$temporary/jars" "$jars" 2>/dev/null || [ -d "$jars" ] # another start was faster
	rm -rf "$temporary"
	trap - EXIT
}

# certify makes the key of the TLS listener.
certify() {
	keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -validity 3650 -dname CN=127.0.0.1 \
		-ext SAN=ip:127.0.0.1,dns:localhost -storetype PKCS12 -storepass stationflow -keystore "$folder/key.p12"
	keytool -exportcert -rfc -alias broker -storetype PKCS12 -storepass stationflow -keystore "$folder/key.p12" >"$folder/ca.pem"
}

configure() {
	login=org.apache.kafka.common.security
	cat <<-CONFIG
		node.id=0
		process.roles=controller,broker
		controller.quorum.voters=0@127.0.0.1:$((port + 1))
		controller.listener.names=INSIDE
		inter.broker.listener.name=OPEN
		listeners=OPEN://127.0.0.1:$port,INSIDE://127.0.0.1:$((port + 1)),USER://127.0.0.1:$((port + 2)),SECURE://127.0.0.1:$((port + 3))
		advertised.listeners=OPEN://127.0.0.1:$port,USER://127.0.0.1:$((port + 2)),SECURE://127.0.0.1:$((port + 3))
		listener.security.protocol.map=OPEN:PLAINTEXT,INSIDE:PLAINTEXT,USER:SASL_PLAINTEXT,SECURE:SASL_SSL
		sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
	CONFIG
	for listener in user secure; do
		cat <<-CONFIG
			listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_alice="alice-secret";
			listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
		CONFIG
	done
	cat <<-CONFIG
		listener.name.secure.ssl.keystore.type=PKCS12
		listener.name.secure.ssl.keystore.location=$folder/key.p12
		listener.name.secure.ssl.keystore.password=stationflow
		log.dirs=$folder/data
		auto.create.topics.enable=false
		group.initial.rebalance.delay.ms=0
		offsets.topic.num.partitions=3
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=3
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
	CONFIG
}

[ -d "$jars" ] || fetch
[ "$1" != --fetch ] || exit 0
if [ "$1" = --java ]; then
	shift
	exec java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" "$@"
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ -f "$folder/ca.pem" ] || certify
configure >"$folder/broker.properties"
if [ ! -f "$folder/data/meta.properties" ]; then
	id=S$(head -c 32 /dev/urandom | base64 | tr -d '+/=\n' | cut -c 1-20)A # 16 bytes in base 64, as Kafka writes a UUID
	java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$jars/*" kafka.tools.StorageTool format --cluster-id "$id" --config "$folder/broker.properties" \
		--add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]' >/dev/null
fi
exec java -Xms256m -Xmx1g -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$jars/*" kafka.Kafka "$folder/broker.properties"
