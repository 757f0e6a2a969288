#!/bin/sh
# dbt-core 1.12.0 (dbt-adapters 1.24.5, dbt-common 1.39.0): in a process that
# invokes dbt again and again (dbtRunner), each invocation takes longer than the
# one before. Whenever an adapter is registered, its behavior flags are added to
# a list of dbt-core's own that is never emptied, four of them with dbt-bigquery
# 1.12.1, and a Behavior is made of the whole list, for each flag of which
# Python's inspect.stack asks all loaded modules for their files. The result is
# right; after some hundred invocations most of the processor time goes there.
#
# Instead: one process for few invocations, or in one's own process
# dbt_common.behavior_flags.BehaviorFlagRendered._default_source replaced by a
# function that returns a text (it is only the text of an event).
#
# Parses a project of one model 100 times in one process; prints how often the
# stack is asked for, and the processor time. Needs Python. Exits 1 when the
# numbers of the first five have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --only-binary :all: dbt-core==1.12.0 dbt-bigquery==1.12.1 dbt-common==1.39.0 dbt-adapters==1.24.5
mkdir models
printf 'name: p\nprofile: p\n' >dbt_project.yml
printf 'p: {target: dev, outputs: {dev: {type: bigquery, method: oauth-secrets, token: t, project: p, dataset: d, threads: 1}}}\n' >profiles.yml
echo "select 1 as n" >models/m.sql
cat >parse.py <<'PY'
import inspect
import time

from dbt.cli.main import dbtRunner
from dbt_common.tests import enable_test_caching

enable_test_caching()  # macros are parsed once: they are not what is measured
asked, stack = 0, inspect.stack


def counted(*given):
    global asked
    asked += 1
    return stack(*given)


inspect.stack = counted
seen = []
for n in range(1, 101):
    asked, began = 0, time.process_time()
    assert dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse"]).success
    seen.append(asked)
    if n <= 5 or n % 25 == 0:
        print(f"invocation {n}: inspect.stack {asked} times, {time.process_time() - began:.2f} s of processor time", flush=True)
raise SystemExit(0 if seen[:5] == [6, 10, 14, 18, 22] else 1)
PY
DBT_SEND_ANONYMOUS_USAGE_STATS=false venv/bin/python parse.py
