"""Renders templates as dbt-core does: reads a JSON list of texts, writes a JSON
list of {"text": …} or {"error": …}, one for each, in the same order."""
import json
import sys

from dbt_common.clients.jinja import get_environment

environment = get_environment()
names = {
    "v": {"b": 1, "a": [1, 2, "x"], "n": None, "f": 1.5},
    "l": ["b", "A", "c", "a"],
    "n": [3, 1, 2],
    "rows": [{"k": "x", "n": 2}, {"k": "y", "n": 1}, {"k": "x", "n": 3}],
    "s": "It's a <b>Straße</b>",
    "i": 7,
    "zero": 0,
    "t": (1, "a"),
}
answers = []
for source in json.load(sys.stdin):
    try:
        answers.append({"text": environment.from_string(source).render(json.loads(json.dumps(names)) | {"t": (1, "a")})})
    except Exception as fault:
        answers.append({"error": f"{type(fault).__name__}: {fault}"})
json.dump(answers, sys.stdout)
