"""Write boosting.json: LightGBM's held-out loss on rows that `training/src/fit/boosting/tests.rs` makes up as this does.

    pip install -r tests/parity/requirements.txt
    python tests/parity/boosting.py
"""

import lightgbm
import numpy as np
from sklearn.metrics import log_loss

from figures import write

ROWS, TRAIN, ROUNDS = 12_000, 8_000, 100
SETTINGS = [(31, 0.0, 20), (7, 0.0, 20), (31, 5.0, 50)]


def uniform(column: int) -> np.ndarray:
    """0 to 1 by row and column (splitmix64)."""
    z = (np.arange(ROWS, dtype=np.uint64) * np.uint64(64) + np.uint64(column) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(float) / 2**53


x = np.column_stack([uniform(k) for k in range(6)] + [np.floor(uniform(6) * 12)])
x[uniform(7) < 0.2, 5] = np.nan
gap = np.where(np.isnan(x[:, 5]), 1.2, x[:, 5])
kind = np.where(x[:, 6] % 3 == 0, 0.9, -0.5)
odds = 3 * np.sin(6 * x[:, 0]) + 8 * (x[:, 1] - 0.5) * (x[:, 2] - 0.5) + gap + kind - 1
y = (uniform(8) < 1 / (1 + np.exp(-odds))).astype(int)

fits = []
for leaves, l2, min_rows in SETTINGS:
    parameters = {"objective": "binary", "num_leaves": leaves, "lambda_l2": l2, "min_data_in_leaf": min_rows, "verbose": -1,
                  "num_threads": 1, "deterministic": True, "seed": 1}  # fmt: skip
    data = lightgbm.Dataset(x[:TRAIN], y[:TRAIN], categorical_feature=[6])
    told = lightgbm.train(parameters, data, num_boost_round=ROUNDS).predict(x[TRAIN:])
    fits.append({"leaves": leaves, "l2": l2, "min_rows": min_rows, "loss": log_loss(y[TRAIN:], told)})
figures = {"rows": ROWS, "train": TRAIN, "rounds": ROUNDS, "outcomes": int(y.sum()), "fits": fits}
write(["lightgbm", "scikit-learn", "numpy"], figures)
