"""LightGBM beside ours on the same rows.

    pip install lightgbm==4.7.0 scikit-learn==1.9.1
    boosting_peer.py make DIR [rows] [features]        writes DIR/{train,test}.f64 and DIR/features.txt
    boosting_peer.py fit DIR TREES LEAVES THREADS      fits once and prints seconds, processor seconds and log loss

`cargo run -p scorehouse-training --example boosting_speed -- DIR TREES LEAVES THREADS PYTHON TURNS` calls the second, turn about
with a fit of its own.
"""

import os
import sys
import time

import numpy as np


def make(out: str, rows: str = "200000", features: str = "30") -> None:
    from sklearn.datasets import make_classification

    rows, features = int(rows), int(features)
    os.makedirs(out, exist_ok=True)
    x, y = make_classification(rows + rows // 4, features, n_informative=features // 2, n_redundant=features // 6,
                               n_clusters_per_class=8, class_sep=0.6, flip_y=0.15, random_state=7)  # fmt: skip
    both = np.hstack([x, y[:, None].astype(float)])
    both[:rows].astype("<f8").tofile(f"{out}/train.f64")
    both[rows:].astype("<f8").tofile(f"{out}/test.f64")
    with open(f"{out}/features.txt", "w") as text:
        text.write(str(features))


def fit(out: str, trees: str, leaves: str, threads: str) -> None:
    import lightgbm
    from sklearn.metrics import log_loss

    with open(f"{out}/features.txt") as text:
        width = int(text.read()) + 1
    train, test = (np.fromfile(f"{out}/{name}.f64", dtype="<f8").reshape(-1, width) for name in ("train", "test"))
    x, y = np.ascontiguousarray(train[:, :-1]), train[:, -1]
    start, cpu = time.perf_counter(), time.process_time()
    settings = {"n_estimators": int(trees), "num_leaves": int(leaves), "n_jobs": int(threads), "verbose": -1}
    model = lightgbm.LGBMClassifier(**settings).fit(x, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    loss = log_loss(test[:, -1], model.predict_proba(test[:, :-1])[:, 1])
    print(f"lightgbm {lightgbm.__version__}: {seconds:.2f} s, {cpu:.2f} CPU s, log loss {loss:.5f}")
    print(f"seconds: {seconds:.4f}")
    print(f"cpu: {cpu:.4f}")


{"make": make, "fit": fit}[sys.argv[1]](*sys.argv[2:])
