"""Write purchases.json: BG/NBD as lifetimes computes it, its fit to CDNOW, and how far it is off in the second half.

    pip install -r tests/parity/requirements.txt
    python tests/parity/purchases.py

`training/src/purchases/parity.rs` is held to the file. The transactions are those of
training/tests/data/cdnow: days with a purchase up to 1997-09-30 are the past, those up to 1998-06-30 what is to be told.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter

from figures import write

DATA = Path(__file__).parents[2] / "training/tests/data/cdnow/CDNOW_master.txt.gz"
GIVEN = {"r": 0.25, "alpha": 33.5, "a": 0.72, "b": 2.16}
PASTS = [[0, 0, 270], [3, 230, 265], [9, 250, 268], [5, 120, 255], [1, 10, 250], [30, 262, 264]]
DAYS = 100

given = BetaGeoFitter()
given.params_ = pd.Series(GIVEN)
repeats, recency, age = np.array(PASTS, dtype=float).T
expected = given.conditional_expected_number_of_purchases_up_to_time(DAYS, repeats, recency, age)
alive = given.conditional_probability_alive(repeats, recency, age)
# The negative mean of the log-likelihood, one customer at a time.
likelihood = [
    -BetaGeoFitter._negative_log_likelihood(
        np.log([GIVEN[name] for name in ("r", "alpha", "a", "b")]), *(np.array([x]) for x in past), np.ones(1), 0.0)
    for past in np.array(PASTS, dtype=float)
]  # fmt: skip

log = pd.read_csv(DATA, sep=r"\s+", skiprows=1, names=["id", "date", "count", "amount"], dtype={"date": str})
start = pd.Timestamp("1997-01-01")
log["day"] = (pd.to_datetime(log["date"], format="%Y%m%d") - start).dt.days
# calibration_and_holdout_data of lifetimes does not run on pandas 3; these are its numbers, days with a purchase.
end, stop = ((pd.Timestamp(day) - start).days for day in ("1997-09-30", "1998-06-30"))
days = log[["id", "day"]].drop_duplicates()
past = days[days.day <= end].groupby("id").day.agg(["min", "max", "count"])
came = days[days.day > end].groupby("id").day.count().reindex(past.index).fillna(0).to_numpy()
repeats, recency, age = (np.asarray(x, float) for x in (past["count"] - 1, past["max"] - past["min"], end - past["min"]))
fitted = BetaGeoFitter(penalizer_coef=0.0).fit(repeats, recency, age)
told = np.asarray(fitted.conditional_expected_number_of_purchases_up_to_time(stop - end, repeats, recency, age))


def off(told):
    return np.abs(told - came).mean()


formulas = [
    {"past": past, "expected": e, "alive": p, "log_likelihood": l} for past, e, p, l in zip(PASTS, expected, alive, likelihood)
]
fit = {"customers": len(came), **{name: float(value) for name, value in fitted.params_.items()}, "told": told.sum(),
       "came": int(came.sum()), "error": off(told), "error_rounded": off(told.round())}  # fmt: skip
write(["Lifetimes", "pandas", "numpy"], {"given": GIVEN, "days": DAYS, "formulas": formulas, "cdnow": fit})
