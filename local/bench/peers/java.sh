# What recipes in Java share: the jars of pom.xml in $PEER_HOME, and Peer.java.
# Sourced, with the recipe's arguments and, in options, those of the JVM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

install() {
	command -v javac >/dev/null || { echo "there is no Java compiler" >&2; exit 1; }
	command -v mvn >/dev/null || { echo "Maven is not there" >&2; exit 1; }
	if ! cat "$here/pom.xml" "$here/Peer.java" | cmp -s - "$PEER_HOME/installed"; then
		rm -rf "$PEER_HOME"
		mkdir -p "$PEER_HOME"
		mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" dependency:copy-dependencies \
			-DincludeScope=runtime "-DoutputDirectory=$PEER_HOME/jars" >&2
		javac -nowarn -cp "$PEER_HOME/jars/*" -d "$PEER_HOME/classes" "$here/Peer.java" >&2
		cat "$here/pom.xml" "$here/Peer.java" >"$PEER_HOME/installed"
	fi
	sed -n 's:.*<name>\(.*\)</name>.*:\1:p' "$here/pom.xml"
}

case $1 in
install) install ;;
run) exec java $options -cp "$PEER_HOME/classes:$PEER_HOME/jars/*" Peer ;;
esac
