"""A Feast project with 30 features of 3 views for 10,000 customers, its online store filled: project.py FOLDER [REDIS].

REDIS: host:port of an online store; without it Feast's default, a SQLite file. Then `feast -c FOLDER serve`.
"""

import json
import pathlib
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

CUSTOMERS, VIEWS, PER_VIEW = 10_000, 3, 10

folder = pathlib.Path(sys.argv[1]).resolve()
store = {"type": "redis", "connection_string": sys.argv[2]} if len(sys.argv) > 2 else {"type": "sqlite", "path": "online.db"}
config = {
    "project": "load",
    "registry": "registry.db",
    "provider": "local",
    "offline_store": {"type": "file"},
    "online_store": store,
    "entity_key_serialization_version": 3,
}
# JSON is YAML.
(folder / "feature_store.yaml").write_text(json.dumps(config))

random, moment = np.random.default_rng(0), datetime(2026, 1, 1, tzinfo=timezone.utc)
keys = [f"C-{n}" for n in range(CUSTOMERS)]
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
views = []
for view in range(VIEWS):
    names = [f"v{view}_{n}" for n in range(PER_VIEW)]
    rows = pd.DataFrame(random.random((CUSTOMERS, PER_VIEW)), columns=names)
    rows.insert(0, "customer_id", keys)
    rows["at"] = moment
    rows.to_parquet(folder / f"w{view}.parquet")
    source = FileSource(name=f"s{view}", path=str(folder / f"w{view}.parquet"), timestamp_field="at")
    schema = [Field(name=name, dtype=Float64) for name in names] + [Field(name="customer_id", dtype=String)]
    views.append(
        FeatureView(name=f"w{view}", entities=[customer], ttl=timedelta(days=36_500), schema=schema, source=source)
    )
feast = FeatureStore(repo_path=str(folder))
feast.apply([customer, *views])
feast.materialize(moment - timedelta(days=1), datetime.now(timezone.utc))
features = [f"w{view}:v{view}_{n}" for view in range(VIEWS) for n in range(PER_VIEW)]
for rows in (1, 100):
    asked = {"features": features, "entities": {"customer_id": [keys[n * 37] for n in range(rows)]}}
    (folder / f"features_{rows}.json").write_text(json.dumps(asked))
