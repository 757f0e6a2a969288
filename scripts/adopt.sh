#!/bin/sh
# Takes data that an earlier deployment left (terraform destroy keeps bucket,
# datasets and tables) over into a new one. Run it before terraform apply; what
# it does not find is left to apply.
#
#   scripts/adopt.sh PROJECT BUCKET STAGING_DATASET PROD_DATASET
set -u

if [ $# -ne 4 ]; then
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
project=$1 bucket=$2 staging=$3 prod=$4
cd "$(dirname "$0")/../terraform" || exit 1

adopt() {
	if terraform import -input=false "$1" "$2" >/dev/null 2>&1; then
		echo "adopted $2"
	else
		echo "not adopted: $2 (it does not exist, or is adopted already)"
	fi
}
adopt module.lake.google_storage_bucket.lake "$bucket"
adopt module.foundation.google_storage_bucket.build "$project-stationflow-build"
adopt 'module.warehouse.google_bigquery_dataset.dataset["staging"]' "projects/$project/datasets/$staging"
adopt 'module.warehouse.google_bigquery_dataset.dataset["prod"]' "projects/$project/datasets/$prod"
for schema in schemas/*.json; do
	table=$(basename "$schema" .json)
	adopt "module.warehouse.google_bigquery_table.staging[\"$table\"]" "projects/$project/datasets/$staging/tables/$table"
done
