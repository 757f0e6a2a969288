"""Runs statements with Google's client for Python: table.py URL PROJECT.

Each line of the input is {"sql": …}. Each line of the output is {"row": […]},
the first row of the result or null, or {"error": …}. FLOAT64, BOOL, ARRAY,
STRUCT and NULL are JSON's own; any other value is the table's text of it.
"""
import datetime
import decimal
import json
import math
import sys

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

url, project = sys.argv[1:]
client = bigquery.Client(project, AnonymousCredentials(), client_options=ClientOptions(api_endpoint=url))


def fraction(micros):
    return f".{micros:06d}".rstrip("0") if micros else ""


def show(v):
    if v is None or isinstance(v, bool):
        return v
    if isinstance(v, float):
        return v if math.isfinite(v) else "Infinity" if v > 0 else "-Infinity"
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
        return [show(x) for x in v]
    if isinstance(v, dict):
        return [show(x) for x in v.values()]
    return str(v)


for line in sys.stdin:
    try:
        row = next(iter(client.query_and_wait(json.loads(line)["sql"], retry=None)), None)
        answer = {"row": row and [show(v) for v in row.values()]}
    except Exception as fault:
        answer = {"error": str(fault)}
    print(json.dumps(answer), flush=True)
