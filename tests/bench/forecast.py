"""Do forecasts hold what they say? Simulates companies, forecasts their past from what was known then, and counts.

usage: forecast.py BINARY [SEEDS [LENGTH]]    (from the repository's root; SEEDS such as 1-6, LENGTH in days)
About five minutes of two cores a company: it is simulated, read, and its model learnt anew every 120 days.
"""

import collections
import json
import math
import pathlib
import subprocess
import sys
import tempfile

ANCHOR = "2026-11-22"
FEATURES = ["deal.owner_id"]


def company(binary, seed, length, folder):
    """The past forecasts of one company."""
    simulate = [binary, "demo", "--folder", folder, "--orders", "demo/data", "--definitions", "demo/project"]
    subprocess.run([*simulate, "--seed", str(seed), "--anchor", ANCHOR, "--no-train", "-q"], check=True)
    told = [binary, "-p", folder, "forecast", "win", "--backtest", "--length", f"{length}d", "--every", f"{length}d"]
    by = [part for feature in FEATURES for part in ("--by", feature)]
    run = subprocess.run(
        [*told, "--refit", "120d", "--as-of", ANCHOR, *by, "--json"], check=True, capture_output=True, text=True
    )
    return json.loads(run.stdout)["checked"]


def summary(name, checked):
    held = sum(0.1 <= one["rank"] <= 0.9 for one in checked) / len(checked)
    level = {what: sum(one[what][1] for one in checked) / sum(one[what][0] for one in checked) for what in ("open", "new")}
    above = sum(one["rank"] > 0.9 for one in checked) / len(checked)
    error = math.sqrt(held * (1 - held) / len(checked))
    print(
        f"{name:28} {len(checked):6,} forecasts  held {held:6.1%} ± {error:.1%}  above {above:5.1%}"
        f"  open {level['open']:.3f}  new {level['new']:.3f}",
        flush=True,
    )


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    first, _, last = (sys.argv[2] if len(sys.argv) > 2 else "1-6").partition("-")
    length = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    everyone = collections.defaultdict(list)
    for seed in range(int(first), int(last or first) + 1):
        with tempfile.TemporaryDirectory() as folder:
            checked = company(binary, seed, length, folder)
        for one in checked:
            everyone[(one.get("group") or "all deals").partition(" = ")[0]].append(one)
        summary(f"company {seed}, all deals", [one for one in checked if not one.get("group")])
    print()
    for name, checked in everyone.items():
        summary(name, checked)


main()
