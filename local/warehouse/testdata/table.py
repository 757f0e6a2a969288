"""Runs the expressions of bigquery.tsv with Google's client for Python, over literals and over columns.

Takes the API's address, a project and the table's path. Prints a JSON list of [line, form, answer], the answer as the
table writes it, or "error: " and the message.
"""
import datetime
import decimal
import json
import math
import re
import sys

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

url, project, path = sys.argv[1:]
client = bigquery.Client(project, AnonymousCredentials(), client_options=ClientOptions(api_endpoint=url))
MARKED = re.compile("«([^»]*)»")


def fraction(micros):
    return f".{micros:06d}".rstrip("0") if micros else ""


def show(v):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return str(v).lower()
    if isinstance(v, float):
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        return str(int(v)) if v == math.trunc(v) and abs(v) < 1e15 else repr(v)
    if isinstance(v, bytes):
        return f'b"{v.hex()}"'
    if isinstance(v, decimal.Decimal):
        text = format(v, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(v, datetime.datetime):
        zone = ""
        if v.tzinfo:
            v, zone = v.astimezone(datetime.timezone.utc), " UTC"
        return v.strftime("%Y-%m-%d %H:%M:%S") + fraction(v.microsecond) + zone
    if isinstance(v, datetime.time):
        return v.strftime("%H:%M:%S") + fraction(v.microsecond)
    if isinstance(v, list):
        return "[" + ", ".join(show(x) for x in v) + "]"
    if isinstance(v, dict):
        return "[" + ", ".join(show(x) for x in v.values()) + "]"
    return str(v).replace("\n", "\\n")


def answers(source, expressions):
    if not expressions:
        return []
    listed = ",\n".join(f"{e} AS r{i}" for i, e in enumerate(expressions))
    try:
        row = next(iter(client.query_and_wait(f"SELECT {listed}{source}", retry=None)))
        return [show(v) for v in row.values()]
    except Exception as fault:
        if len(expressions) == 1:
            return [f"error: {fault}"]
        half = len(expressions) // 2
        return answers(source, expressions[:half]) + answers(source, expressions[half:])


examples = []
for number, line in enumerate(open(path, encoding="utf-8"), 1):
    if not line.startswith("#"):
        page, expression, want = line.rstrip("\n").split("\t", 2)
        if not expression.startswith("! "):
            examples.append((number, expression, want))

out = []
client.create_dataset("python")
for failing in (False, True):
    part = [e for e in examples if (e[2] == "ERROR") == failing]
    for start in range(0, len(part), 40):
        chunk = part[start : start + 40]
        step = 1 if failing else 40
        literals = [MARKED.sub(r"\1", e[1]) for e in chunk]
        columns, values = [], []
        for number, expression, _ in chunk:
            marks = MARKED.findall(expression)
            values += [f"{mark} AS c{number}_{i}" for i, mark in enumerate(marks)]
            names = iter(f"c{number}_{i}" for i in range(len(marks)))
            columns.append(MARKED.sub(lambda _: next(names), expression))
        table = f"python.t{chunk[0][0]}"
        if values:
            client.query_and_wait(f"CREATE TABLE {table} AS SELECT " + ", ".join(values))
        for form, source, texts in (("literals", "", literals), ("columns", f" FROM {table}" if values else "", columns)):
            got = [a for i in range(0, len(texts), step) for a in answers(source, texts[i : i + step])]
            out += [[e[0], form, a] for e, a in zip(chunk, got)]
json.dump(out, sys.stdout)
