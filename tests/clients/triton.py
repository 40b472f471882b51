"""The standard protocol as tritonclient speaks it: HTTP with JSON and with bytes, and gRPC.

usage: triton.py URL GRPC MODEL KEY...    (a model over an entity whose inputs are all numbers, and keys of the entity)
"""

import json
import sys

import grpc as raw_grpc
import numpy as np
import tritonclient.grpc as tgrpc
import tritonclient.http as thttp
from tritonclient.utils import InferenceServerException

url, grpc_address, model, *keys = sys.argv[1:]
address = url.removeprefix("http://")
# Features move with the present; two questions are the same only at the same moment.
AS_OF = {"as_of": "2025-12-01"}
TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BYTES": np.object_,
}


def tensor(module, name, values, datatype, **how):
    values = np.asarray(values, dtype=TYPES[datatype])
    made = module.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **how)
    return made


def refused(call, *parts):
    try:
        call()
    except InferenceServerException as error:
        # With the status, where there is one.
        words = str(error)
        assert all(part in words for part in parts), (parts, words)
        return
    raise AssertionError(f"not refused: {parts}")


def the_same(client, module, hows):
    """What a client can ask, the same for both transports; `hows` are the ways in which it sends a tensor."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(model) and client.is_model_ready(model, "1")
    refused(lambda: client.get_model_metadata("nothing"), "there is no model")
    answers = []
    for how in hows:
        out = [module.InferRequestedOutput(name, **how.get("out", {})) for name in ("probability", "raw")]
        asked = tensor(module, "entity_key", np.array([k.encode() for k in keys], dtype=object), "BYTES", **how.get("in", {}))
        result = client.infer(model, [asked], outputs=out, request_id="r-1", parameters=AS_OF)
        assert result.as_numpy("probability").shape == (len(keys),)
        answers.append(result.as_numpy("raw"))
        # Every output without naming it, and the parameter in place of the tensor.
        by_parameter = client.infer(model, [], parameters={"entity_keys": json.dumps(keys), **AS_OF})
        assert (by_parameter.as_numpy("raw") == answers[-1]).all()
    names = [t["name"] if isinstance(t, dict) else t.name for t in metadata(client)]
    rows = np.arange(2 * len(names), dtype=np.float64).reshape(2, len(names))
    rows[1, 0] = np.nan
    scores = []
    for how in hows:
        for datatype in ("FP64", "FP32", "FP16"):
            if datatype == "FP16" and not how.get("fp16", True):
                continue
            # JSON has no NaN; the REST way without bytes leaves it to null, which this client cannot send.
            given = np.nan_to_num(rows) if how.get("no_nan") else rows
            matrix = tensor(module, "features", given, datatype, **how.get("in", {}))
            result = client.infer(model, [matrix])
            if not how.get("no_nan"):
                scores.append(result.as_numpy("raw"))
        each = [tensor(module, name, np.nan_to_num(rows[:, i]), "FP64", **how.get("in", {})) for i, name in enumerate(names)]
        assert client.infer(model, each).as_numpy("raw").shape == (2,)
    assert all((s == scores[0]).all() for s in scores), scores
    # Whole numbers of every width, truth values and texts: taken where they fit, refused with the tensor's name.
    for datatype in TYPES:
        values = {"BYTES": [b"x", b"y"], "BOOL": [True, False]}.get(datatype, [1, 2])
        one = tensor(module, names[0], np.array(values, dtype=TYPES[datatype]), datatype)
        if datatype in ("BYTES", "BOOL"):
            refused(lambda: client.infer(model, [one]), names[0])
        else:
            assert client.infer(model, [one]).as_numpy("raw").shape == (2,)
    wide = tensor(module, "features", np.zeros((1, len(names) + 1)), "FP64")
    refused(lambda: client.infer(model, [wide]), f"[rows, {len(names)}]")
    refused(lambda: client.infer(model, [tensor(module, "nothing", [1.0], "FP64")]), "nothing")
    refused(lambda: client.infer(model, [wide], outputs=[module.InferRequestedOutput("nothing")]))
    told = client.infer(model, [], parameters={"entity_key": keys[0], "reasons": 3, **AS_OF})
    assert told.as_numpy("reason_words").shape == (1, 3)
    base, parts = told.as_numpy("base")[0], told.as_numpy("reason_contribution")[0]
    assert np.isfinite(base) and np.isfinite(parts).all()
    client.unload_model(model)
    assert not client.is_model_ready(model)
    client.load_model(model)
    assert client.is_model_ready(model)
    return answers


def metadata(client):
    told = client.get_model_metadata(model)
    inputs = told["inputs"] if isinstance(told, dict) else told.inputs
    assert len(inputs) > 0
    return inputs


http = thttp.InferenceServerClient(address)
assert http.get_server_metadata()["name"] == "scorehouse"
index = {entry["name"]: entry["state"] for entry in http.get_model_repository_index()}
assert index[model] == "READY", index
bytes_both = {"in": {"binary_data": True}, "out": {"binary_data": True}}
json_both = {"in": {"binary_data": False}, "out": {"binary_data": False}, "fp16": False, "no_nan": True}
over_http = the_same(http, thttp, [bytes_both, json_both])

grpc = tgrpc.InferenceServerClient(grpc_address)
assert grpc.get_server_metadata().name == "scorehouse"
assert any(entry.name == model and entry.state == "READY" for entry in grpc.get_model_repository_index().models)
over_grpc = the_same(grpc, tgrpc, [{}])

# Compressed both ways; a deadline that cannot be kept, whoever says so first, client or server; the standard health
# protocol, without its package.
many = tensor(tgrpc, "entity_key", np.array([k.encode() for k in keys] * 400, dtype=object), "BYTES")
plain = grpc.infer(model, [many], parameters=AS_OF).as_numpy("raw")
zipped = grpc.infer(model, [many], parameters=AS_OF, compression_algorithm="gzip").as_numpy("raw")
assert (plain == zipped).all() and len(plain) == 400 * len(keys)
refused(lambda: grpc.infer(model, [many], client_timeout=1e-6), "DEADLINE_EXCEEDED")
with raw_grpc.insecure_channel(grpc_address) as channel:
    check, watch = (f"/grpc.health.v1.Health/{method}" for method in ("Check", "Watch"))
    assert channel.unary_unary(check)(b"", timeout=10) == b"\x08\x01", "it serves"
    try:
        channel.unary_unary(check)(b"\x0a\x05other", timeout=10)
        raise AssertionError("no service has this name")
    except raw_grpc.RpcError as error:
        assert error.code() == raw_grpc.StatusCode.NOT_FOUND, error
    watched = channel.unary_stream(watch)(b"", timeout=10)
    assert next(iter(watched)) == b"\x08\x01"
    watched.cancel()

for answer in over_http + over_grpc:
    assert (answer == over_http[0]).all(), "every way gives the same bits"
print(f"tritonclient: {len(keys)} keys, {len(over_http + over_grpc)} ways, the same bits")
