import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from relatent.v1 import catalog_pb2
from relatent_service.rpc.server import SERVICES
from tests.fixtures.requests import details, reason, violated
from tests.fixtures.running import running_server

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def check(running, service=""):
    stub = health_pb2_grpc.HealthStub(running.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status


def watch(running, service=""):
    stub = health_pb2_grpc.HealthStub(running.channel)
    return stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=10)


async def test_every_service_has_a_status_and_unknown_ones_have_none(running):
    assert len(SERVICES) == 6
    for service in ("", *SERVICES):
        assert await check(running, service) == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        await check(running, "other.Service")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert (reason(caught.value), violated(caught.value)) == ("UNKNOWN_NAME", "service")
    unknown = watch(running, "other.Service")
    assert (await unknown.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()


async def test_it_does_not_serve_before_every_graph_is_warm(tiny_root):
    async with running_server(tiny_root, ready=False) as running:
        assert await check(running) == NOT_SERVING
        with pytest.raises(grpc.RpcError) as caught:
            await running.catalog.ListPacks(catalog_pb2.ListPacksRequest(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "NOT_READY"
        assert details(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0
        running.engine.hold("tiny_refine")
        start = asyncio.create_task(running.server.readiness.start())
        await running.engine.held("tiny_refine")
        assert await check(running) == NOT_SERVING
        running.engine.release("tiny_refine")
        await start
        assert await check(running) == SERVING


async def test_all_who_watch_are_told_when_the_engine_fails_and_when_it_is_back(running):
    leaving, staying = watch(running), watch(running)
    assert [(await call.read()).status for call in (leaving, staying)] == [SERVING, SERVING]
    running.engine.well = False
    assert [(await call.read()).status for call in (leaving, staying)] == [NOT_SERVING, NOT_SERVING]
    leaving.cancel()
    running.engine.well = True
    assert (await staying.read()).status == SERVING
    staying.cancel()


async def test_it_does_not_serve_while_draining(running):
    watching = watch(running, SERVICES[0])
    assert (await watching.read()).status == SERVING
    drain = asyncio.create_task(running.server.drain())
    assert (await watching.read()).status == NOT_SERVING
    await drain


async def test_reflection_lists_every_service(running):
    stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
    call = stub.ServerReflectionInfo(timeout=5)
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    await call.done_writing()
    response = await call.read()
    names = {service.name for service in response.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= names
