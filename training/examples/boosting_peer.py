"""LightGBM beside ours on the same rows: boosting_peer.py DIR [rows] [features] [trees] [leaves]
writes DIR/{train,test}.f64 for `cargo run --release --example boosting_speed -- DIR` and prints LightGBM's
seconds and log loss with two threads (pip: lightgbm scikit-learn)."""
import os, sys, time
import numpy as np, lightgbm as lgb
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss

out = sys.argv[1]
rows, features, trees, leaves = [int(a) for a in sys.argv[2:] + ["200000", "30", "100", "31"][len(sys.argv) - 2:]]
os.makedirs(out, exist_ok=True)
x, y = make_classification(rows + rows // 4, features, n_informative=features // 2, n_redundant=features // 6,
                           n_clusters_per_class=8, class_sep=0.6, flip_y=0.15, random_state=7)
both = np.hstack([x, y[:, None].astype(float)])
both[:rows].astype("<f8").tofile(f"{out}/train.f64")
both[rows:].astype("<f8").tofile(f"{out}/test.f64")
open(f"{out}/features.txt", "w").write(str(features))
for _ in range(3):
    start, cpu = time.time(), time.process_time()
    model = lgb.LGBMClassifier(n_estimators=trees, num_leaves=leaves, n_jobs=2, verbose=-1).fit(x[:rows], y[:rows])
    seconds, cpu = time.time() - start, time.process_time() - cpu
    print(f"lightgbm {lgb.__version__}: {seconds:.2f} s, {cpu:.2f} CPU s, log loss {log_loss(y[rows:], model.predict_proba(x[rows:])[:, 1]):.5f}", flush=True)
