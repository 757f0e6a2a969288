#!/bin/sh
# Brings staging tables that are partitioned by day to partitions of an hour,
# without losing a row: docs/deploy.md says when to call it.
#
#   scripts/partition-by-hour.sh save|restore|forget PROJECT STAGING_DATASET
#
# save copies each table to NAME_by_day, compares, and drops the table, so that
# terraform apply makes it again. restore puts the rows back into the new table,
# all of them or none. forget drops the copies. A step that stops halfway can
# be called again: what is done is left as it is.
set -eu

if [ $# -ne 3 ]; then
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
step=$1 project=$2 dataset=$3
cd "$(dirname "$0")/.."

query() { bq query --project_id="$project" --nouse_legacy_sql --format=csv --quiet "$1"; }

exists() {
	[ "$(query "select concat('n=', cast(count(*) as string)) as n from \`$project\`.\`$dataset\`.INFORMATION_SCHEMA.TABLES where table_name = '$1'" | tail -n 1)" = n=1 ]
}

# One statement changes at most 4,000 partitions, which are 166 days of hours.
periods="timestamp_diff(current_timestamp(), ingested_at, day) < 150
timestamp_diff(current_timestamp(), ingested_at, day) between 150 and 299
timestamp_diff(current_timestamp(), ingested_at, day) >= 300"

for schema in terraform/schemas/*.json; do
	name=$(basename "$schema" .json)
	table="\`$project\`.\`$dataset\`.\`$name\`" copy="\`$project\`.\`$dataset\`.\`${name}_by_day\`"
	same="select if((select count(*) from $table) = (select count(*) from $copy), 'same', error('$name and its copy differ in rows: does something still write?')) as compared"
	case $step in
	save)
		exists "$name" || continue
		exists "${name}_by_day" || query "create table $copy as select * from $table" >/dev/null
		query "$same" >/dev/null
		query "drop table $table" >/dev/null
		echo "saved $name"
		;;
	restore)
		if [ "$(query "select concat('n=', cast(count(*) as string)) as n from $table" | tail -n 1)" = n=0 ]; then
			inserts=$(echo "$periods" | while read -r period; do printf 'insert into %s select * from %s where %s;\n' "$table" "$copy" "$period"; done)
			query "begin transaction;
$inserts
commit transaction;" >/dev/null
		fi
		query "$same" >/dev/null
		echo "restored $name"
		;;
	forget)
		query "select if((select count(*) from $table) >= (select count(*) from $copy), 'all', error('$name has fewer rows than its copy')) as compared" >/dev/null
		query "drop table if exists $copy" >/dev/null
		echo "dropped the copy of $name"
		;;
	*)
		echo "no step $step: save, restore or forget" >&2
		exit 2
		;;
	esac
done
