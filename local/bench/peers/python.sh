# What recipes in Python share: an environment in $PEER_HOME with what
# requirements.txt pins, and peer.py. Sourced, with the recipe's arguments.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$PEER_HOME/bin/python

install() {
	command -v python3 >/dev/null || { echo "python3 is not there" >&2; exit 1; }
	if ! cmp -s "$here/requirements.txt" "$PEER_HOME/installed"; then
		python3 -m venv --clear "$PEER_HOME" >&2
		"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt" >&2
		cp "$here/requirements.txt" "$PEER_HOME/installed"
	fi
	grep -v '^#' "$here/requirements.txt" | sed 's/==/ /' | paste -sd '+' | sed 's/+/ + /g'
}

case $1 in
install) install ;;
run) exec "$python" "$here/peer.py" ;;
esac
