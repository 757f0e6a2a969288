"""Writes what the installed dbt-core knows, as JSON: for each place the names
that a project can use there."""
import dataclasses
import json
import pathlib
import re
import sys

import dbt
import dbt.include
from dbt.adapters.bigquery.impl import BigqueryConfig
from dbt.artifacts.resources.v1.config import TestConfig
from dbt.artifacts.resources.v1.exposure import ExposureConfig
from dbt.artifacts.resources.v1.model import ModelConfig
from dbt.artifacts.resources.v1.seed import SeedConfig
from dbt.artifacts.resources.v1.snapshot import SnapshotConfig
from dbt.artifacts.resources.v1.source_definition import SourceConfig
from dbt.artifacts.resources.v1.unit_test_definition import UnitTestConfig
from dbt.context import providers
from dbt.contracts import project
from dbt.contracts.graph import unparsed
from dbt.graph.selector_methods import MethodName
from dbt_common.clients.jinja import get_environment


def fields(*classes):
    return sorted({f.name for c in classes for f in dataclasses.fields(c) if not f.name.startswith("_")})


def members(cls):
    names = set()
    for base in cls.__mro__:
        names |= set(vars(base).get("_context_members_", {}))
    return sorted(names)


def macros():
    """The macros that dbt and its BigQuery adapter bring, without the prefix of
    what adapter.dispatch finds."""
    names = set()
    for package in ("global_project", "bigquery"):
        for file in pathlib.Path(dbt.include.__path__[0], package).rglob("*.sql"):
            for name in re.findall(r"\{%-?\s*macro\s+(\w+)", file.read_text()):
                names.add(re.sub(r"^(default|bigquery)__", "", name))
    return sorted(names)


def public(cls):
    return sorted(name for name in dir(cls) if not name.startswith("_"))


environment = get_environment()
context = set(members(providers.ModelContext)) | set(members(providers.TestContext)) | {"builtins", "context"}
known = {
    "project": [f.name.replace("_", "-") if f.name not in ("data_tests", "unit_tests", "semantic_models", "saved_queries", "on_run_start") else f.name
                for f in dataclasses.fields(project.Project)],
    "model config": fields(ModelConfig, BigqueryConfig),
    "seed config": fields(SeedConfig, BigqueryConfig),
    "test config": fields(TestConfig),
    "source config": fields(SourceConfig),
    "snapshot config": fields(SnapshotConfig),
    "exposure config": fields(ExposureConfig),
    "unit test config": fields(UnitTestConfig),
    "model": fields(unparsed.UnparsedModelUpdate),
    "seed": fields(unparsed.UnparsedNodeUpdate),
    "source": fields(unparsed.UnparsedSourceDefinition),
    "table": fields(unparsed.UnparsedSourceTableDefinition),
    "column": fields(unparsed.UnparsedColumn),
    "exposure": fields(unparsed.UnparsedExposure),
    "unit test": fields(unparsed.UnparsedUnitTest),
    "macro yml": fields(unparsed.UnparsedMacroUpdate),
    "freshness": fields(unparsed.FreshnessThreshold),
    "name": sorted(context),
    "global": sorted(environment.globals),
    "filter": sorted(environment.filters),
    "test": sorted(environment.tests),
    "tag": sorted({"for", "if", "block", "extends", "print", "macro", "include", "from", "import", "set", "with", "autoescape", "call", "filter", "raw"}
                  | {tag for extension in environment.extensions.values() for tag in extension.tags}),
    "selector method": sorted(m.value for m in MethodName),
    "exceptions": sorted(providers.wrapped_exports(None)),
    "macro": macros(),
    "file": sorted(json.loads(pathlib.Path(dbt.__path__[0], "jsonschemas/resources/latest.json").read_text())["properties"]),
}
for name, kind in {"string": str, "list": list, "tuple": tuple, "dict": dict, "int": int, "float": float}.items():
    known["method of " + name] = public(kind)
json.dump(known, sys.stdout, indent=1)
