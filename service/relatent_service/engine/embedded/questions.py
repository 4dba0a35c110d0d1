"""What an embedded Triton is asked, besides to run graphs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from relatent_service.channels import open_channel

POLL_SECONDS = 0.1
ANSWER_SECONDS = 1.0


async def is_live(stub: Any) -> bool:
    """Whether it answers at all, or cannot be asked, which may be this process's own trouble."""
    try:
        return bool((await stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=ANSWER_SECONDS)).live)
    except grpc.aio.AioRpcError as error:
        return error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED  # silence alone tells


async def until_ready(address: str) -> None:
    """Wait until it serves every model."""
    async with open_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        while True:
            with suppress(grpc.aio.AioRpcError):
                if (await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1)).ready:
                    return
            await asyncio.sleep(POLL_SECONDS)
