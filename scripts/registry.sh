#!/usr/bin/env bash
# usage: scripts/registry.sh [--fetch | COMMAND…]
#
# Runs Apicurio Registry in memory on this machine, with the API of Confluent's
# schema registry at http://127.0.0.1:PORT/apis/ccompat/v7 (PORT is 8081). With
# a COMMAND it runs that, with STATIONFLOW_REGISTRY_URL set, and stops. --fetch
# only fetches it, as the first call does: 110 MB. Needs Java 17 and Maven.
set -euo pipefail

if [ "${1:-}" = --help ]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
version=3.0.9
port=${PORT:-8081}
home=${XDG_CACHE_HOME:-$HOME/.cache}/stationflow/apicurio-$version

if [ ! -e "$home/ready" ]; then
  mkdir -p "$home"
  mvn --quiet --batch-mode dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" \
    -DoutputDirectory="$home" >&2
  tar -xzf "$home/apicurio-registry-app-$version-all.tar.gz" -C "$home"
  touch "$home/ready"
fi
[ "${1:-}" != --fetch ] || exit 0
cd "$home"
QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT=$port java -Xmx512m -jar "apicurio-registry-app-$version-runner.jar" >"$home/log" 2>&1 &
registry=$!
trap 'kill "$registry" 2>/dev/null; wait "$registry" || true' EXIT
until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/health/ready"; do
  kill -0 "$registry" 2>/dev/null || { echo "the registry ended: $home/log says why" >&2; exit 1; }
  sleep 0.2
done
if [ $# -eq 0 ]; then
  echo "http://127.0.0.1:$port/apis/ccompat/v7"
  wait "$registry"
else
  cd "$OLDPWD"
  STATIONFLOW_REGISTRY_URL=http://127.0.0.1:$port/apis/ccompat/v7 "$@"
fi
