#!/bin/sh
# Takes what an earlier deployment left over into a new one: bucket, datasets
# and tables, which terraform destroy keeps, and the daily limit of queries,
# which nothing can delete. Run it before terraform apply; what it does not
# find is left to apply.
#
#   scripts/adopt.sh PROJECT BUCKET STAGING_DATASET PROD_DATASET
set -u

if [ $# -ne 4 ]; then
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
project=$1 bucket=$2 staging=$3 prod=$4
cd "$(dirname "$0")/../terraform" || exit 1

adopt() {
	if out=$(terraform import -no-color -input=false "$1" "$2" 2>&1); then
		echo "adopted $2"
		return
	fi
	case $out in
	*"non-existent remote object"*) echo "left to apply: $2 does not exist" ;;
	*"already managed by Terraform"*) echo "adopted before: $2" ;;
	*)
		printf '%s\n' "$out" >&2
		exit 1
		;;
	esac
}
adopt module.lake.google_storage_bucket.lake "$bucket"
adopt module.foundation.google_storage_bucket.build "$project-stationflow-build"
adopt 'module.warehouse.google_bigquery_dataset.dataset["staging"]' "projects/$project/datasets/$staging"
adopt 'module.warehouse.google_bigquery_dataset.dataset["prod"]' "projects/$project/datasets/$prod"
adopt module.warehouse.google_cloud_quotas_quota_preference.query "projects/$project/locations/global/quotaPreferences/stationflow-query-usage-per-day"
adopt module.warehouse.google_bigquery_table.completeness "projects/$project/datasets/$prod/tables/pipeline_completeness"
for schema in schemas/*.json; do
	table=$(basename "$schema" .json)
	adopt "module.warehouse.google_bigquery_table.staging[\"$table\"]" "projects/$project/datasets/$staging/tables/$table"
done
