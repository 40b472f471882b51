"""Write metrics.json: probabilities and outcomes with the metrics that scikit-learn gives them.

    pip install -r tests/parity/requirements.txt
    python tests/parity/metrics.py

The tests in training/src/metric/parity.rs and training/src/report/curves.rs read the file. Tied probabilities, certain ones and rare outcomes are in.
The calibration error has no function in scikit-learn: it is computed here by its definition, over 15 bins of
equally many rows.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve, roc_auc_score, roc_curve

BINS = 15


def ece(p: np.ndarray, y: np.ndarray) -> float:
    order = np.argsort(p, kind="stable")
    edges = [part * len(p) // BINS for part in range(BINS + 1)]
    parts = [order[a:b] for a, b in zip(edges, edges[1:])]
    return float(sum(abs(y[part].sum() - p[part].sum()) for part in parts) / len(p))


def curves(p: np.ndarray, y: np.ndarray) -> dict:
    """Both curves from the likeliest rows to all, a point wherever the probability changes."""
    false_positive, true_positive, _ = roc_curve(y, p, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(y, p, drop_intermediate=False)
    # The last point of scikit-learn's is one that calls nobody.
    points = {"roc": (false_positive, true_positive), "precision_recall": (recall[-2::-1], precision[-2::-1])}
    return {name: np.round(np.transpose(of), 10).tolist() for name, of in points.items()}


def case(name: str, p: np.ndarray, y: np.ndarray) -> dict:
    p = np.round(p, 6)
    odds = np.log(np.clip(p, 1e-12, 1 - 1e-12) / (1 - np.clip(p, 1e-12, 1 - 1e-12))).reshape(-1, 1)
    line = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(odds, y)
    return {
        "name": name,
        "probability": p.tolist(),
        "label": y.astype(int).tolist(),
        "log_loss": log_loss(y, p),
        "brier": brier_score_loss(y, p),
        "auc": roc_auc_score(y, p),
        "ece": ece(p, y),
        "slope": line.coef_[0, 0],
        "intercept": line.intercept_[0],
        **curves(p, y),
    }


rng = np.random.default_rng(11)
spread = rng.beta(2, 3, size=240)
tied = rng.choice([0.1, 0.2, 0.5, 0.9], size=200)
rare = rng.beta(1, 30, size=300)
sure = np.concatenate([np.full(8, 1e-5), np.full(8, 1 - 1e-5), rng.random(84)])
cases = [
    case("spread", spread, rng.random(240) < spread),
    case("tied", tied, rng.random(200) < 0.3 + tied * 0.4),
    case("rare", rare, rng.random(300) < rare),
    case("sure", sure, rng.random(100) < np.clip(sure, 0.05, 0.95)),
]
figures = {"versions": {name: version(name) for name in ("scikit-learn", "numpy")}, "cases": cases}
text = json.dumps(figures, separators=(",", ":"))
Path(__file__).with_suffix(".json").write_text(text + "\n")
