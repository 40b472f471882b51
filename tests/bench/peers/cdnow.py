"""BG/NBD of lifetimes on the first half of CDNOW, held against the second: CDNOW_master.txt."""

import sys

import lifetimes
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter

log = pd.read_csv(sys.argv[1], sep=r"\s+", skiprows=1, names=["id", "date", "count", "amount"], dtype={"date": str})
start = pd.Timestamp("1997-01-01")
log["day"] = (pd.to_datetime(log["date"], format="%Y%m%d") - start).dt.days
# calibration_and_holdout_data of lifetimes does not run on pandas 3; these are its numbers, days with a purchase.
end = (pd.Timestamp("1997-09-30") - start).days
stop = (pd.Timestamp("1998-06-30") - start).days
days = log[["id", "day"]].drop_duplicates()
past = days[days.day <= end].groupby("id").day.agg(["min", "max", "count"])
came = days[days.day > end].groupby("id").day.count().reindex(past.index).fillna(0).to_numpy()
repeats = (past["count"] - 1).to_numpy(float)
recency = (past["max"] - past["min"]).to_numpy(float)
age = (end - past["min"]).to_numpy(float)
model = BetaGeoFitter(penalizer_coef=0.0)
model.fit(repeats, recency, age)
told = np.asarray(model.conditional_expected_number_of_purchases_up_to_time(stop - end, repeats, recency, age))


def error(told):
    return f"{np.abs(told - came).mean():.4f}"


parameters = ", ".join(f"{name} {value:.4f}" for name, value in model.params_.items())
print(f"lifetimes {lifetimes.__version__}: {len(came)} customers, {parameters}")
print(f"mean absolute error: of the expected number {error(told)}, rounded {error(told.round())}, of none at all {error(0 * told)}")
print(f"best: {np.abs(told - came).mean():.6f}")
