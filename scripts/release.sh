#!/bin/sh
# Builds the binaries of a release, which differ by platform and by nothing
# else: the same commit and toolchain give the same bytes in every folder.
#
#   scripts/release.sh VERSION DIR PACKAGE FOLDER PLATFORM ...
#
# DIR is the module's folder, PACKAGE the command in it. FOLDER gets
# <command>-VERSION-<os>-<arch> for each PLATFORM (such as linux/amd64), and
# SHA256SUMS. What FOLDER held before of SHA256SUMS is replaced.
set -eu

if [ $# -lt 5 ]; then
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
version=$1 dir=$2 package=$3 folder=$4
shift 4
if [ -n "$(git -C "$dir" status --porcelain)" ]; then
	echo "a release is made from a commit, and this folder has changes: commit or remove what git status lists" >&2
	exit 1
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
name=$(basename "$package")
cd "$dir"

sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

made=
for platform in "$@"; do
	file=$name-$version-${platform%/*}-${platform#*/}
	echo "building $file"
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 GOFLAGS= GOWORK=off \
		go build -trimpath -buildvcs=true -tags=disable_grpc_modules -o "$folder/$file" \
		-ldflags "-s -w -X github.com/stationflow/stationflow/cmd/cli.release=$version" "$package"
	made="$made $file"
done
cd "$folder"
# shellcheck disable=SC2086 # names without spaces
sum $made >SHA256SUMS

# Where this machine can run one, it says its version and commit.
native=$name-$version-$(go env GOHOSTOS)-$(go env GOHOSTARCH)
case " $made " in
*" $native "*)
	said=$("./$native" version --json)
	commit=$(git -C "$OLDPWD" rev-parse HEAD)
	case $said in
	*"\"version\":\"$version\",\"commit\":\"$commit\",\"modified\":false"*) echo "$said" ;;
	*)
		echo "$native says $said, want version $version and commit $commit" >&2
		exit 1
		;;
	esac
	;;
esac
