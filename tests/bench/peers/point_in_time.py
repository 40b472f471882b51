"""Polars join_asof over the files that examples/point_in_time.rs has written: folder, number of runs."""

import sys
import time

import polars as pl

folder, runs = sys.argv[1], int(sys.argv[2])
best = float("inf")
for _ in range(runs):
    started = time.perf_counter()
    rows = pl.scan_parquet(f"{folder}/ent.parquet").sort("event_timestamp")
    for view in range(3):
        facts = pl.scan_parquet(f"{folder}/f{view}.parquet").sort("ts")
        rows = rows.join_asof(
            facts, left_on="event_timestamp", right_on="ts", by="account_id", suffix=f"_{view}", check_sortedness=False
        )
    found = rows.collect()
    best = min(best, time.perf_counter() - started)
print(f"polars {pl.__version__} join_asof, best of {runs}: {best:.3f} s, {found.shape}")
print(f"best: {best}")
