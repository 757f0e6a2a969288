#!/bin/sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)

case $1 in
install)
	mkdir -p "$PEER_HOME"
	cd "$here"
	go build -o "$PEER_HOME/reader" .
	echo "$(go list -m -f 'sarama {{.Version}}' github.com/IBM/sarama), which only reads"
	;;
run) exec "$PEER_HOME/reader" ;;
esac
