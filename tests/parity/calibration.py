"""Write calibration.json: maps from scores to probabilities, and penalised logistic regressions, as others fit them.

    pip install -r tests/parity/requirements.txt
    python tests/parity/calibration.py

`training/src/calibrate/parity.rs` and `training/src/fit/logistic.rs` are held to the file.

- Isotonic regression is scikit-learn's. Our map has one point for each of its levels, at the mean score there, and keeps
  rates from 0 and 1 by half a row; both are computed here from its levels.
- Platt's and the beta map carry a normal prior that scikit-learn has no word for, so scipy minimises their loss as
  `training/src/calibrate/maps.rs` states it.
- scikit-learn's logistic regression weighs the losses by C where ours weighs the penalty: C = 1 / penalty.
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from figures import write


def softplus(x):
    return np.logaddexp(0, x)


def isotonic(raw, label, weight):
    fitted = IsotonicRegression().fit(raw, label, sample_weight=weight).predict(raw)
    x, y = [], []
    for level in np.unique(fitted):
        at = fitted == level
        with_, all_ = (weight * label)[at].sum(), weight[at].sum()
        x.append((weight * raw)[at].sum() / all_)
        y.append(max([(with_ + 0.5) / (all_ + 1.0), *y[-1:]]))
    return {"x": x, "y": y}


def penalised(columns, label, weight, center, precision):
    def loss(w):
        z = columns @ w
        return (weight * (softplus(z) - label * z)).sum() + (precision * (w - center) ** 2).sum() / 2

    def slope(w):
        return columns.T @ (weight * (1 / (1 + np.exp(-columns @ w)) - label)) + precision * (w - center)

    return minimize(loss, center, jac=slope, method="BFGS", options={"gtol": 1e-9, "maxiter": 10_000}).x


def maps(name, raw, label, weight):
    one, up, down = np.ones_like(raw), -softplus(-raw), softplus(raw)
    platt = penalised(np.c_[raw, one], label, weight, np.array([1.0, 0.0]), np.array([4.0, 1.0]))
    beta = penalised(np.c_[up, down, one], label, weight, np.array([1.0, 1.0, 0.0]), np.ones(3))
    return {"name": name, "raw": raw, "label": label, "weight": weight, "isotonic": isotonic(raw, label, weight),
            "platt": platt, "beta": beta}  # fmt: skip


def logistic(name, x, label, penalty):
    fit = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-12, max_iter=10_000).fit(x, label)
    return {"name": name, "columns": x.T, "label": label, "penalty": penalty, "weights": fit.coef_[0],
            "intercept": fit.intercept_[0]}  # fmt: skip


rng = np.random.default_rng(5)


def outcome(z):
    return (rng.random(len(z)) < 1 / (1 + np.exp(-z))).astype(float)


plain = np.round(rng.normal(0, 2, 300), 4)
tied = np.round(rng.normal(0, 2, 300) * 2) / 2
weighted = np.round(rng.normal(-1, 1.5, 200), 3)
cases = [
    maps("plain", plain, outcome(0.6 * plain - 0.3), np.ones(300)),
    maps("tied", tied, outcome(0.9 * tied), np.ones(300)),
    maps("weighted", weighted, outcome(np.minimum(weighted, 0.3)), np.round(rng.uniform(0.2, 3, 200), 2)),
]
x = np.round(rng.normal(size=(240, 4)), 3)
x[:, 3] = (x[:, 3] > 0.5) - 0.3
label = outcome(x @ [1.2, -0.7, 0.0, 0.8] - 0.9)
regressions = [logistic(f"penalty {penalty}", x, label, penalty) for penalty in (0.5, 12.0, 300.0)]
write(["scikit-learn", "scipy", "numpy"], {"maps": cases, "regressions": regressions})
