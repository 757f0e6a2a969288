"""Reads pairs of Parquet files, ours and the library's, and says where they differ.

Arguments: a folder with NAME.ours.parquet and NAME.plain.parquet. Each reader
that is installed reads both of a pair; they must hold the same rows.
"""

import importlib.util
import math
import pathlib
import sys


def pyarrow(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def polars(path):
    import polars

    return polars.read_parquet(path).to_dicts()


def duckdb(path):
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(f"select * from read_parquet('{path}')").fetchall()


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isnan(one) and math.isnan(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


pairs = sorted(pathlib.Path(sys.argv[1]).glob("*.ours.parquet"))
readers = [reader for reader in (pyarrow, polars, duckdb) if importlib.util.find_spec(reader.__name__)]
for reader in readers:
    for ours in pairs:
        plain = str(ours).replace(".ours.", ".plain.")
        one, other = reader(str(ours)), reader(plain)
        if len(one) != len(other):
            sys.exit(f"{reader.__name__}: {ours.name} has {len(one)} rows, want {len(other)}")
        for i, (mine, theirs) in enumerate(zip(one, other)):
            if not same(mine, theirs):
                sys.exit(f"{reader.__name__}: row {i} of {ours.name} is {mine}, want {theirs}")
print(len(pairs), *(reader.__name__ for reader in readers))
