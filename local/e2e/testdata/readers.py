"""Reads what the pipeline wrote with other people's tools.

usage: readers.py BIGQUERY_URL PROJECT STAGING_DATASET LAKE_FOLDER

BigQuery is read with Google's Python client, the Parquet files below
LAKE_FOLDER/raw with DuckDB. Prints one JSON object: for each topic the rows,
the distinct coordinates, the sum of the offsets and the column types, as each
of the two sees them; and for quarantine the rows by reason.
"""

import glob
import json
import sys

import duckdb
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

TOPICS = [
    "incidents", "equipment_failures", "train_arrivals",
    "train_departures", "ticket_validations", "passenger_flow",
]


def read_warehouse(url, project, dataset):
    client = bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=url),
    )
    tables = {}
    for topic in TOPICS:
        table = client.get_table(f"{project}.{dataset}.{topic}")
        rows = list(client.list_rows(table))
        coordinates = {(r["kafka_topic_id"], r["kafka_partition"], r["kafka_offset"]) for r in rows}
        assert all(r["timestamp"].tzinfo is not None and isinstance(r["station"], str) for r in rows)
        tables[topic] = {
            "rows": len(rows),
            "distinct": len(coordinates),
            "offsets": sum(offset for _, _, offset in coordinates),
            "types": {f.name: f.field_type for f in table.schema},
        }
    reasons = client.query(f"select reason, count(*) as n from {dataset}.quarantine group by reason").result()
    return tables, {row.reason: row.n for row in reasons}


def read_lake(folder):
    tables = {}
    for topic in TOPICS:
        files = f"{folder}/raw/{topic}/*/*/*.parquet"
        if not glob.glob(files):
            continue
        source = f"read_parquet('{files}', hive_partitioning = true)"
        rows, distinct, offsets = duckdb.sql(f"""
            select count(*), count(distinct (kafka_topic_id, kafka_partition, kafka_offset)), sum(kafka_offset)
            from {source}
            where strftime("timestamp" at time zone 'UTC', '%Y-%m-%d') = cast(dt as varchar)
              and hour("timestamp" at time zone 'UTC') = cast("hour" as int)
        """).fetchall()[0]
        types = {name: kind for name, kind, *_ in duckdb.sql(f"describe select * from {source}").fetchall()}
        tables[topic] = {"rows": rows, "distinct": distinct, "offsets": int(offsets or 0), "types": types}
    return tables


if __name__ == "__main__":
    url, project, dataset, folder = sys.argv[1:]
    warehouse, reasons = read_warehouse(url, project, dataset)
    json.dump({"warehouse": warehouse, "quarantine": reasons, "lake": read_lake(folder)}, sys.stdout)
