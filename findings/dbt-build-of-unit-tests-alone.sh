#!/bin/sh
# dbt-core 1.12.0 runs unit tests in `build` only together with their model.
# `dbt build --select test_type:unit`, or with --resource-type unit_test, or with
# the unit test's own name, does nothing and exits with 0, although the selector
# matches and the unit test fails; `dbt test` with the same words runs it and
# exits with 1. A check before a merge that says `build` passes always.
#
# Instead: dbt test --select test_type:unit, or build with the models.
#
# A model of two with a unit test that cannot pass; prints exit codes. Needs
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --only-binary :all: dbt-core==1.12.0 dbt-duckdb==1.11.1
mkdir models
printf 'name: p\nprofile: p\n' >dbt_project.yml
printf 'p: {target: dev, outputs: {dev: {type: duckdb, path: p.duckdb}}}\n' >profiles.yml
echo "select 1 as n" >models/a.sql
echo "select n + 1 as n from {{ ref('a') }}" >models/m.sql
cat >models/t.yml <<'YML'
unit_tests:
- {name: wrong, model: m, given: [{input: ref('a'), rows: [{n: 1}]}], expect: {rows: [{n: 99}]}}
YML
export DBT_SEND_ANONYMOUS_USAGE_STATS=false
venv/bin/dbt --quiet run
seen=$(for asked in "build --select test_type:unit" "build --resource-type unit_test" "build --select unit_test:wrong" \
	"test --select test_type:unit" "test --resource-type unit_test" "build --select m"; do
	code=0
	venv/bin/dbt --quiet $asked >said 2>&1 || code=$?
	echo "$asked: $code"
done)
echo "$seen"
wanted="build --select test_type:unit: 0
build --resource-type unit_test: 0
build --select unit_test:wrong: 0
test --select test_type:unit: 1
test --resource-type unit_test: 1
build --select m: 1"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
