"""The windows of examples/windows.rs in DuckDB SQL: folder, number of runs."""

import os
import sys
import time

import duckdb

folder, runs = sys.argv[1], int(sys.argv[2])
windows = [7, 30, 90, 180, 365]
parts = []
for name, call in [("count", "count(e.ts)"), ("sum", "sum(amount)"), ("mean", "avg(amount)"), ("max", "max(amount)")]:
    for days in windows:
        parts.append(f"{call} filter (where e.ts > s.ts - interval {days} day) as {name}_{days}d")
query = f"""
select s.row, {", ".join(parts)}
from '{folder}/snapshots.parquet' s
left join '{folder}/events.parquet' e
  on e.account_id = s.account_id and e.ts <= s.ts and e.ts > s.ts - interval {windows[-1]} day
group by s.row
"""
connection = duckdb.connect()
connection.execute(f"set threads={os.cpu_count()}")
best = float("inf")
for _ in range(runs):
    started = time.perf_counter()
    found = connection.execute(query).to_arrow_table()
    best = min(best, time.perf_counter() - started)


def total(name):
    return connection.execute(
        "select " + " + ".join(f"sum(coalesce({name}_{days}d, 0))" for days in windows) + " from found"
    ).fetchone()[0]


print(
    f"duckdb {duckdb.__version__}, best of {runs}: {best:.3f} s, {found.shape}; "
    f"count {total('count'):.0f} sum {total('sum'):.2f} max {total('max'):.2f}"
)
print(f"best: {best}")
