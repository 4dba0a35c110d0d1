import asyncio
import io
import json
import logging
from contextlib import suppress

import grpc
import pytest

from relatent.v1 import catalog_pb2, inversion_pb2, synthesis_pb2
from relatent_service.telemetry.logs import JsonFormatter
from tests.fixtures.requests import code, details, image, latent, reason
from tests.fixtures.running import running_server

SAMPLE = "/relatent.v1.SynthesisService/Sample"


def handled(running, method, status, kind="unary", service="SynthesisService"):
    return running.metric(
        "grpc_server_handled_total",
        grpc_type=kind,
        grpc_service=f"relatent.v1.{service}",
        grpc_method=method,
        grpc_code=status,
    )


async def raw(running, method, data, **fields):
    """Send bytes as they are."""
    return await running.channel.unary_unary(method)(data, timeout=10, **fields)


async def test_bytes_that_are_no_message_are_told_apart_from_a_fault_of_ours(running):
    with pytest.raises(grpc.RpcError) as caught:
        await raw(running, SAMPLE, b"\x0a\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value) == "MALFORMED_REQUEST"
    await running.until(lambda: handled(running, "Sample", "INVALID_ARGUMENT") == 1)


async def test_so_are_those_of_a_stream(running):
    call = running.channel.unary_stream("/relatent.v1.InversionService/InvertStream")(b"\x0a\xff", timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        await call.read()
    assert reason(caught.value) == "MALFORMED_REQUEST"


async def test_a_method_that_is_not_there_is_unimplemented_with_details(running):
    for method in ("/relatent.v1.InversionService/Nothing", "/other.Service/Nothing"):
        with pytest.raises(grpc.RpcError) as caught:
            await raw(running, method, b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert reason(caught.value) == "UNKNOWN_METHOD"


async def test_one_message_size_holds_for_requests_and_for_answers(tiny_root):
    async with running_server(tiny_root, "--max-message-bytes", "2000") as running:
        request = synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))] * 20)
        assert request.ByteSize() > 2000
        with pytest.raises(grpc.RpcError) as caught:
            await running.synthesis.Synthesize(request, timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason(caught.value) == "MESSAGE_TOO_LARGE"
        assert "2000" in caught.value.details()
        with pytest.raises(grpc.RpcError) as caught:
            await running.synthesis.Sample(synthesis_pb2.SampleRequest(seeds=range(20)), timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason(caught.value) == "ANSWER_TOO_LARGE"
        (one,) = (await running.synthesis.Sample(synthesis_pb2.SampleRequest(seeds=[1]), timeout=10)).images
        assert one.image.data


async def test_a_callers_request_id_comes_back_with_answers_and_errors(running):
    metadata = [("x-request-id", "job-17:3")]
    call = running.catalog.GetPack(catalog_pb2.GetPackRequest(), metadata=metadata, timeout=10)
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "job-17:3"
    with pytest.raises(grpc.RpcError) as caught:
        await running.catalog.GetPack(catalog_pb2.GetPackRequest(pack="no"), metadata=metadata, timeout=10)
    assert details(caught.value)["ErrorInfo"].metadata["request_id"] == "job-17:3"
    assert dict(caught.value.trailing_metadata())["x-request-id"] == "job-17:3"


async def test_an_unsound_request_id_is_replaced(running):
    call = running.catalog.GetPack(
        catalog_pb2.GetPackRequest(), metadata=[("x-request-id", "a b" + "c" * 100)], timeout=10
    )
    await call
    assert len(dict(await call.trailing_metadata())["x-request-id"]) == 32


async def test_every_call_is_counted_timed_and_logged_with_its_id(running, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "relatent_service.rpc.interceptors")
    log, written = logging.getLogger("relatent_service.rpc.interceptors"), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(log, "handlers", [handler])
    metadata = [("x-request-id", "one")]
    await running.synthesis.Sample(synthesis_pb2.SampleRequest(seeds=[1]), metadata=metadata, timeout=10)
    await running.until(lambda: handled(running, "Sample", "OK") == 1)
    labels = {
        "grpc_type": "unary",
        "grpc_service": "relatent.v1.SynthesisService",
        "grpc_method": "Sample",
    }
    assert running.metric("grpc_server_started_total", **labels) == 1
    assert running.metric("grpc_server_handling_seconds_count", **labels) == 1
    line = json.loads(written.getvalue())
    assert (line["message"], line["request_id"], line["code"]) == ("call", "one", "OK")
    assert line["method"] == SAMPLE
    assert line["seconds"] > 0


async def test_a_fault_of_ours_is_internal_and_logged_but_tells_nothing(running, caplog):
    running.engine.errors["tiny_map"] = [ZeroDivisionError("secret")]
    with pytest.raises(grpc.RpcError) as caught:
        await running.synthesis.Sample(synthesis_pb2.SampleRequest(seeds=[1]), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in caught.value.details()
    assert "secret" in caplog.text


async def test_while_draining_new_calls_are_sent_away_and_those_under_way_finish(tiny_root):
    async with running_server(tiny_root, "--drain-seconds", "5") as running:
        running.engine.hold("tiny_refine")
        request = inversion_pb2.InvertRequest(image=image())
        under_way = running.inversion.Invert(request, timeout=10)
        await running.engine.held("tiny_refine")
        drain = asyncio.create_task(running.server.drain())
        await asyncio.sleep(0.05)
        with pytest.raises(grpc.RpcError) as caught:
            await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "DRAINING"
        assert details(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0
        assert running.metric("relatent_rejected_total", reason="draining") == 1
        running.engine.release("tiny_refine")
        assert (await under_way).result.steps == 20
        await drain


async def test_what_does_not_finish_in_time_ends_at_its_next_chunk_with_its_checkpoint_sent(tiny_root):
    async with running_server(tiny_root, "--drain-seconds", "0.1") as running:
        running.engine.delay = 0.02
        request = inversion_pb2.InvertStreamRequest(
            image=image(),
            options=inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=2000)),
            checkpoint_every=1,
        )
        call = running.inversion.InvertStream(request, timeout=10)
        last = (await call.read()).progress
        drain = asyncio.create_task(running.server.drain())
        with suppress(grpc.RpcError):
            while True:
                last = (await call.read()).progress
        with pytest.raises(grpc.RpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "DRAINING"
        assert last.checkpoint.steps == last.steps > 0
        await drain
