"""Says what dbt-core makes of values: reads a JSON dict with "yaml", a list of
scalars, and "seeds", a list of columns; writes the same dict with its text of
each scalar and its type of each column, null where it refuses."""
import csv
import json
import sys
import tempfile

import yaml
from dbt.adapters.bigquery.impl import BigQueryAdapter
from dbt.clients.yaml_helper import safe_load
from dbt_common.clients.agate_helper import from_csv


def scalar(text):
    try:
        return str(safe_load("x: " + text)["x"])
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return None


def column(values):
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        csv.writer(file).writerows([["k", "c"]] + [["x", value] for value in values])
        file.flush()
        return BigQueryAdapter.convert_agate_type(from_csv(file.name, ()), 1)


asked = json.load(sys.stdin)
json.dump({"yaml": [scalar(text) for text in asked["yaml"]], "seeds": [column(values) for values in asked["seeds"]]}, sys.stdout)
