#!/bin/sh
options='-Xmx2g --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED
	-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
. "$(dirname "$0")/../java.sh"
