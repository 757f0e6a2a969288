#!/bin/sh
# Moves Terraform's state into a Cloud Storage bucket of its own, so that
# several people and machines share it, and nobody applies at the same time.
# The bucket keeps old versions, is not public, and is made if it is missing.
#
#   scripts/remote-state.sh PROJECT REGION
set -eu

if [ $# -ne 2 ]; then
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
project=$1 region=$2 bucket=$1-stationflow-state
cd "$(dirname "$0")/../terraform"

if ! gcloud storage buckets describe "gs://$bucket" --project="$project" >/dev/null 2>&1; then
	gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
		--uniform-bucket-level-access --public-access-prevention
fi
gcloud storage buckets update "gs://$bucket" --versioning
cat >backend.tf <<EOF
terraform {
  backend "gcs" {
    bucket = "$bucket"
    prefix = "stationflow"
  }
}
EOF
terraform init -migrate-state
echo "The state is in gs://$bucket. On another machine run this again with the same arguments."
