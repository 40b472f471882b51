"""What all scripts of this folder share: figures are written beside the script, with the versions they come from."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np


def plain(value):
    """Numbers as JSON takes them, to ten digits, which is more than any tolerance asks for."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, (int, np.integer, np.bool_)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.10g}")
    return value


def write(packages: list[str], figures: dict) -> None:
    versions = {name: version(name) for name in packages}
    text = json.dumps({"versions": versions, **plain(figures)}, separators=(",", ":"))
    Path(sys.argv[0]).with_suffix(".json").write_text(text + "\n")
