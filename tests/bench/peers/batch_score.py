"""LightGBM's own predictor, in C++, on what examples/batch_score.rs scores.

usage: batch_score.py make FOLDER ROWS    trains 200 trees of 31 leaves, writes trees.json, model.txt, rows.csv, rows.f64
       batch_score.py file|memory|contributions FOLDER RUNS THREADS    seconds to score the file, the rows in memory, or
                                                                       to explain 5,000 of them, others in every run
"""

import json
import pathlib
import sys
import time

import lightgbm
import numpy as np

COLUMNS = 30
EXPLAINED = 5_000


def make(folder, rows):
    rng = np.random.default_rng(7)
    x = np.round(rng.normal(size=(rows, COLUMNS)), 6)
    odds = x[:, 0] * 1.5 - x[:, 1] * x[:, 2] + np.sin(3 * x[:, 3]) + x[:, 4:12].sum(axis=1) * 0.3
    y = rng.random(rows) < 1 / (1 + np.exp(-odds))
    x[:, 5:10][rng.random((rows, 5)) < 0.05] = np.nan
    learnt = slice(0, 20_000)
    parameters = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 7, "deterministic": True}
    names = [f"x{i}" for i in range(COLUMNS)]
    data = lightgbm.Dataset(x[learnt], y[learnt].astype(int), feature_name=names)
    model = lightgbm.train(parameters, data, num_boost_round=200)
    model.save_model(folder / "model.txt")
    trees = []
    for tree in model.dump_model()["tree_info"]:
        trees.append([])
        lay(tree["tree_structure"], trees[-1])
    (folder / "trees.json").write_text(json.dumps(trees))
    np.savetxt(folder / "rows.csv", x, fmt="%.6f", delimiter=",", header=",".join(names), comments="")
    x.tofile(folder / "rows.f64")


def lay(node, nodes):
    own = len(nodes)
    nodes.append(None)
    if "leaf_value" in node:
        nodes[own] = {"value": node["leaf_value"], "cover": node.get("leaf_count", 1)}
        return own
    # Where training saw nothing missing, LightGBM reads missing as zero.
    missing_left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
    left, right = lay(node["left_child"], nodes), lay(node["right_child"], nodes)
    nodes[own] = {"column": node["split_feature"], "at_most": node["threshold"], "missing_left": missing_left,
                  "left": left, "right": right}  # fmt: skip
    return own


def score(what, folder, runs, threads):
    model = lightgbm.Booster(model_file=folder / "model.txt")
    rows = np.fromfile(folder / "rows.f64").reshape(-1, COLUMNS)
    best, total = float("inf"), 0.0
    for run in range(runs):
        started = time.perf_counter()
        if what == "file":
            # Reads, scores and writes in C++; reading the scores back belongs to it.
            found = model.predict(str(folder / "rows.csv"), data_has_header=True, num_threads=threads)
        elif what == "contributions":
            part = rows[run * EXPLAINED : (run + 1) * EXPLAINED]
            found = model.predict(part, pred_contrib=True, num_threads=threads)
        else:
            found = model.predict(rows, raw_score=True, num_threads=threads)
        best = min(best, time.perf_counter() - started)
        total = total + found.sum() if what == "contributions" else found.sum()
    print(f"lightgbm {lightgbm.__version__}, {what}, {threads} threads: {len(found) / best:,.0f} rows/s, sum {total:.6f}")
    print(f"best: {best}")


folder = pathlib.Path(sys.argv[2])
if sys.argv[1] == "make":
    make(folder, int(sys.argv[3]))
else:
    score(sys.argv[1], folder, int(sys.argv[3]), int(sys.argv[4]))
