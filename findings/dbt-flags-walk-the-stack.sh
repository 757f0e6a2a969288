#!/bin/sh
# dbt-core 1.12.0 with dbt-bigquery 1.12.1 (dbt-common 1.39.0) looks through the
# whole call stack by Python's inspect.stack each time that an adapter is
# registered, once for each behavior flag of the adapter, for the text of an
# event that is hardly ever fired; also for flags that name their source, whose
# default is worked out all the same. In a process that invokes dbt again and
# again with small projects (dbtRunner) it is most of the processor time: each
# walk asks every loaded module for its file.
#
# Instead, in such a process: dbt_common.behavior_flags.BehaviorFlagRendered.
# _default_source replaced by a function that returns a text.
#
# Parses a project of one model five times in one process, with and without;
# prints how many walks, and the processor time. Needs Python. Exits 1 when the
# number of walks has changed.
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

from dbt.adapters.bigquery import BigQueryAdapter
from dbt.cli.main import dbtRunner
from dbt_common import behavior_flags
from dbt_common.behavior_flags import BehaviorFlagRendered

walks, stack = 0, inspect.stack


def counted(*asked):
    global walks
    walks += 1
    return stack(*asked)


def parse(what):
    global walks
    dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse"])
    walks, began = 0, time.process_time()
    for _ in range(5):
        assert dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse"]).success
    print(f"{what}: {walks / 5:g} walks and {(time.process_time() - began) / 5:.2f} s of processor time each")
    return walks


behavior_flags.inspect.stack = counted
before = parse("as it is")
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters.bigquery.impl")
after = parse("with a text instead")
raise SystemExit(0 if before >= 5 and before % 5 == 0 and after == 0 else 1)
PY
DBT_SEND_ANONYMOUS_USAGE_STATS=false venv/bin/python parse.py
