"""Builds projects by dbt-core on a warehouse, one after the other: reads
requests, a line of JSON each, and writes what became of each."""
import contextlib
import io
import json
import os
import sys

from dbt.cli.main import dbtRunner

import quick  # noqa: F401: for what it does to dbt

for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    args = ["--quiet", *asked["command"], "--no-partial-parse", "--profiles-dir", asked["folder"], "--project-dir", asked["folder"],
            "--target-path", asked["folder"] + "/target", "--log-path", asked["folder"] + "/logs"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        result = dbtRunner().invoke(args)
    results = {}
    for one in getattr(result.result, "results", None) or []:
        results[one.node.unique_id] = {"status": str(one.status), "failures": one.failures, "message": one.message or ""}
    print(json.dumps({"success": result.success, "results": results, "said": str(result.exception or "") + said.getvalue()}),
          file=sys.__stdout__, flush=True)
