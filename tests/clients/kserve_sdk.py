"""The standard protocol as the KServe SDK speaks it: REST and gRPC.

usage: kserve_sdk.py URL GRPC MODEL KEY...
"""

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, grpc_address, model, *keys = sys.argv[1:]


def request(binary):
    made = InferInput("entity_key", [len(keys)], "BYTES")
    made.set_data_from_numpy(np.array([key.encode() for key in keys], dtype=object), binary_data=binary)
    # Features move with the present; two questions are the same only at the same moment.
    moment = {"as_of": "2025-12-01"}
    return InferRequest(model_name=model, infer_inputs=[made], request_id="k-1", parameters=moment)


def raw(answer):
    outputs = {output.name: output for output in answer.outputs}
    return np.asarray(outputs["raw"].as_numpy(), dtype=np.float64)


async def main():
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await rest.is_server_live(url) and await rest.is_server_ready(url)
    assert await rest.is_model_ready(url, model)
    plain = raw(await rest.infer(url, request(False), model_name=model))
    packed = raw(await rest.infer(url, request(True), model_name=model))
    try:
        await rest.infer(url, InferRequest(model, [InferInput("nothing", [1], "FP64", [1.0])]), model_name=model)
        raise SystemExit("not refused")
    except Exception as error:  # the SDK raises what its HTTP library raises
        assert "nothing" in str(error), error
    async with InferenceGRPCClient(url=grpc_address) as grpc:
        assert await grpc.is_server_live() and await grpc.is_server_ready() and await grpc.is_model_ready(model)
        over_grpc = raw(await grpc.infer(request(True)))
        typed = raw(await grpc.infer(request(False)))
    for answer in (packed, over_grpc, typed):
        assert (answer == plain).all(), (plain, answer)
    await rest.close()
    print(f"KServe SDK: {len(keys)} keys in JSON, in bytes and over gRPC, the same bits")


asyncio.run(main())
