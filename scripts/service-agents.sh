#!/bin/sh
# Makes service agents of a project, Google's own identities that act in the
# name of a service, so that rights can be granted to them. Terraform runs it;
# it may be run again at any time. Where gcloud is missing or refuses it says
# what to run instead, and ends well: the agents may exist already, and if they
# do not, granting them rights fails next.
#
#   scripts/service-agents.sh PROJECT SERVICE...
#
# SERVICE is the first part of the API's name, such as pubsub.
set -eu

if [ $# -lt 2 ]; then
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
project=$1
shift
for service; do
	if ! gcloud beta services identity create --project="$project" --service="$service.googleapis.com" --quiet; then
		echo "The service agent of $service was not made. If the next step does not find it, run: gcloud beta services identity create --project=$project --service=$service.googleapis.com" >&2
	fi
done
