#!/bin/sh
# Makes the service agents of a project, Google's own identities that use a
# customer-managed key in the name of a service. Terraform runs it when kms_key
# is set; it may be run again at any time.
#
#   scripts/service-agents.sh PROJECT
set -eu

if [ $# -ne 1 ]; then
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
services="artifactregistry cloudfunctions pubsub run secretmanager"
if ! command -v gcloud >/dev/null; then
	echo "gcloud is not installed. Unless this project's service agents exist already, the next step fails; then run where gcloud is:" >&2
	for service in $services; do
		echo "  gcloud beta services identity create --project=$1 --service=$service.googleapis.com" >&2
	done
	exit 0
fi
for service in $services; do
	gcloud beta services identity create --project="$1" --service="$service.googleapis.com" --quiet
done
