#!/bin/sh
# Makes the service agents of a project, Google's own identities that use a
# customer-managed key in the name of a service. Terraform runs it when kms_key
# is set; it may be run again at any time. Where gcloud is missing or refuses
# it says what to run instead, and ends well: the agents may exist already, and
# if they do not, granting them the key fails next.
#
#   scripts/service-agents.sh PROJECT
set -eu

if [ $# -ne 1 ]; then
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
for service in artifactregistry cloudfunctions pubsub run secretmanager; do
	if ! gcloud beta services identity create --project="$1" --service="$service.googleapis.com" --quiet; then
		echo "This service agent was not made. If the next step does not find it, run: gcloud beta services identity create --project=$1 --service=$service.googleapis.com" >&2
	fi
done
