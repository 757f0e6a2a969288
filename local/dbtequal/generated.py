"""Compiles projects that hold many cases by dbt-core, without a warehouse: reads
requests, a line of JSON each, and writes what dbt makes of each case. A case is
all whose folder has its name; its selections are asked of it alone."""
import contextlib
import io
import json
import os
import sys

from dbt.adapters.bigquery import BigQueryAdapter
from dbt.artifacts.resources.v1.config import TestConfig
from dbt.artifacts.resources.v1.model import ModelConfig
from dbt.artifacts.resources.v1.seed import SeedConfig
from dbt.cli.main import dbtRunner
from dbt.compilation import Linker
from dbt.contracts.graph.manifest import Manifest
from dbt.graph import Graph, NodeSelector
from dbt.graph.cli import parse_difference

import quick  # noqa: F401: for what it does to dbt

# There is no warehouse, and so no relation.
BigQueryAdapter.get_relation = lambda self, database, schema, identifier: None

DEFAULTS = {kind: of().to_dict() for kind, of in {"model": ModelConfig, "seed": SeedConfig, "test": TestConfig}.items()}
FIELDS = ("unique_id", "resource_type", "name", "package_name", "path", "original_file_path", "fqn", "alias", "relation_name", "database", "schema", "tags",
          "description", "unrendered_config", "checksum", "columns", "raw_code", "test_metadata", "column_name", "refs", "sources", "access", "contract",
          "identifier", "source_name", "loaded_at_field", "freshness", "compiled_code", "config")


def facts(node):
    all = node.to_dict()
    out = {field: all.get(field) for field in FIELDS if field in all}
    out["reads"] = sorted(set(all.get("depends_on", {}).get("nodes", [])))
    out["builtin"] = "test_metadata" in all and all["test_metadata"] is not None and not any(m.startswith("macro.p.") for m in all["depends_on"]["macros"]) \
        and all["test_metadata"]["name"] in ("unique", "not_null", "accepted_values", "relationships")
    out["defaults"] = DEFAULTS.get(node.resource_type.value)
    return out


def case_of(node):
    return next((part for part in node.fqn[1:] if part.startswith("case")), "")


def select(of, include, exclude):
    manifest = Manifest(nodes={k: v for k, v in of.items() if k.split(".")[0] != "source"}, sources={k: v for k, v in of.items() if k.split(".")[0] == "source"})
    linker = Linker()
    linker.link_graph(manifest)
    selector = NodeSelector(graph=Graph(linker.graph), manifest=manifest, selectors={})
    try:
        return sorted(selector.get_selected(parse_difference(tuple(include), tuple(exclude or ())), warn_on_no_nodes=False))
    except Exception as fault:
        return f"{type(fault).__name__}: {fault}"


def compiled(folder, cases):
    os.chdir(folder)
    args = ["--no-partial-parse", "--profiles-dir", folder, "--project-dir", folder, "--target-path", folder + "/target", "--log-path", folder + "/logs", "--threads", "1"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        parsed = dbtRunner().invoke(["--quiet", "parse", *args])
        if not parsed.success:
            return {"error": str(parsed.exception or "") + said.getvalue()}
        manifest = parsed.result
        result = dbtRunner(manifest=manifest).invoke(["--quiet", "compile", "--no-introspect", "--no-populate-cache", "--no-write-json", *args])
    if result.exception:
        return {"error": str(result.exception) + said.getvalue()}
    answers = {name: {"nodes": {}, "faults": [], "selected": []} for name in cases}
    groups = {name: {} for name in cases}
    shared = {}
    for node in list(manifest.nodes.values()) + list(manifest.sources.values()):
        name = case_of(node)
        if node.resource_type.value == "operation" or not node.config.enabled:  # what a disabled test reads is not there
            continue
        if name in answers:
            answers[name]["nodes"][node.unique_id] = facts(node)
            groups[name][node.unique_id] = node
        else:
            shared[node.unique_id] = node
    for one in result.result.results:
        if str(one.status) == "error" and case_of(one.node) in answers:
            answers[case_of(one.node)]["faults"].append(one.node.unique_id + ": " + one.message)
    for name, selections in cases.items():
        for include, exclude in selections:
            picked = select(groups[name] | shared, include, exclude)
            answers[name]["selected"].append({"error": picked} if isinstance(picked, str) else {"ids": [one for one in picked if one in groups[name]]})
    return {"cases": answers}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(compiled(asked["folder"], asked["cases"]), default=str), file=sys.__stdout__, flush=True)
