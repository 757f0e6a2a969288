#!/bin/sh
# Builds one command and shows that it is under way.
#
#   scripts/build.sh DIR PACKAGE OUTPUT [NOTE]
#
# DIR is the module's folder, PACKAGE the command in it, OUTPUT the file to
# write. When the build takes longer than two seconds, NOTE says why, and the
# elapsed time follows every ten seconds.
set -eu

if [ $# -lt 3 ]; then
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
dir=$1 package=$2 output=$3 note=${4:-}

progress() {
	sleep 2
	[ -z "$note" ] || printf '%s\n' "$note"
	seconds=2
	while sleep 8; do
		seconds=$((seconds + 8))
		printf 'building %s: %d s\n' "$(basename "$output")" "$seconds"
		sleep 2
		seconds=$((seconds + 2))
	done
}

progress &
ticker=$!
trap 'kill "$ticker" 2>/dev/null || true' EXIT
cd "$dir"
go build -o "$output" "$package"
