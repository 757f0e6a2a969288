"""Compiles projects by dbt-core, without a warehouse: reads requests, a line of
JSON each with a folder, variables and what is not compiled, and writes what dbt
made of each."""
import contextlib
import io
import json
import os
import sys

from dbt.adapters.bigquery import BigQueryAdapter
from dbt.cli.main import dbtRunner

import quick  # noqa: F401: for what it does to dbt

# There is no warehouse, and so no relation.
BigQueryAdapter.get_relation = lambda self, database, schema, identifier: None


def compiled(asked):
    folder = asked["folder"]
    os.chdir(folder)
    args = ["--no-write-json", "--no-partial-parse", "--profiles-dir", folder, "--project-dir", folder, "--target-path", folder + "/target",
            "--log-path", folder + "/logs", "--threads", "1", "--vars", json.dumps(asked["vars"] or {})]
    left = ["--exclude", *asked["left"]] if asked["left"] else []
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        result = dbtRunner().invoke(["--quiet", "parse", *args])
        manifest = result.result
        if result.success:
            result = dbtRunner(manifest=manifest).invoke(["--quiet", "compile", "--no-introspect", "--no-populate-cache", *args, *left])
    if not result.success:
        return {"error": str(result.exception or "") + said.getvalue()}
    nodes = {}
    for node in [one.to_dict() for one in [*manifest.nodes.values(), *manifest.sources.values()]]:
        if node["resource_type"] == "operation":
            continue
        config = node["config"]
        if not config.get("enabled", True):  # what it reads is not there
            continue
        nodes[node["resource_type"] + "." + node["name"]] = {
            "id": node["unique_id"], "sql": node.get("compiled_code") or "", "relation": node.get("relation_name") or "", "materialized": config.get("materialized") or "",
            "reads": sorted(set(node.get("depends_on", {}).get("nodes", []))), "tags": sorted(node["tags"]), "alias": node.get("alias", ""),
            "severity": (config.get("severity") or "").lower(), "where": config.get("where"),
            "builtin": node["resource_type"] == "test" and "test_metadata" in node and ("test_" + node["test_metadata"]["name"]) in
            ("test_unique", "test_not_null", "test_accepted_values", "test_relationships") and
            not any(m.startswith("macro.p.") for m in node["depends_on"]["macros"]),
        }
    return {"nodes": nodes}


for line in sys.stdin:
    print(json.dumps(compiled(json.loads(line))), file=sys.__stdout__, flush=True)
