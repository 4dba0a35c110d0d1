"""What is promised around calls holds for all four kinds of them."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from relatent_service.access.door import Door
from relatent_service.errors import InvalidField
from relatent_service.rpc.interceptors import CallInterceptor
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.quotas import Quotas
from tests.fixtures.requests import reason, violated

MOST_BYTES = 100
NAMES = {
    "unary": "UnaryUnary",
    "server_stream": "UnaryStream",
    "client_stream": "StreamUnary",
    "bidi_stream": "StreamStream",
}
KINDS = sorted(NAMES)


class Echo:
    """Answers with what it is sent, a word each; `wait` waits, `wrong` is refused, `fault` is a fault."""

    def __init__(self):
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()
        self.heard = asyncio.Event()
        self.streams_heard_out = 0

    async def unary_unary(self, request, context):
        return await self._answer(request)

    async def unary_stream(self, request, context):
        for word in request.value.split():
            yield await self._answer(StringValue(value=word))

    async def stream_unary(self, requests, context):
        words = [(await self._answer(each)).value async for each in requests]
        self.streams_heard_out += 1
        return StringValue(value=" ".join(words))

    async def stream_stream(self, requests, context):
        async for each in requests:
            yield await self._answer(each)
        self.streams_heard_out += 1

    async def _answer(self, request):
        self.heard.set()
        match request.value:
            case "wait":
                self.waiting.set()
                try:
                    await asyncio.sleep(60)
                finally:
                    self.left.set()
            case "wrong":
                raise InvalidField("value", "expected another word")
            case "fault":
                raise ZeroDivisionError("secret")
            case "large":
                return StringValue(value="x" * MOST_BYTES)
        return request


class Server:
    def __init__(self):
        self.metrics, self.lifecycle, self.echo = Metrics(), Lifecycle(), Echo()
        self.lifecycle.serve()
        interceptor = CallInterceptor(Door(), Quotas(), self.lifecycle, self.metrics, MOST_BYTES)
        self._server = grpc.aio.server(interceptors=[interceptor])
        codec = {
            "request_deserializer": StringValue.FromString,
            "response_serializer": StringValue.SerializeToString,
        }
        handlers = {
            NAMES["unary"]: grpc.unary_unary_rpc_method_handler(self.echo.unary_unary, **codec),
            NAMES["server_stream"]: grpc.unary_stream_rpc_method_handler(self.echo.unary_stream, **codec),
            NAMES["client_stream"]: grpc.stream_unary_rpc_method_handler(self.echo.stream_unary, **codec),
            NAMES["bidi_stream"]: grpc.stream_stream_rpc_method_handler(self.echo.stream_stream, **codec),
        }
        service = grpc.method_handlers_generic_handler("relatent.v1.Echo", handlers)
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self):
        await self._server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        return self

    async def __aexit__(self, *error):
        await self.channel.close()
        await self._server.stop(None)

    def begin(self, kind, words, metadata=(), last=None):
        """A call that sends words, and then bytes as they are."""
        sent = [StringValue(value=word).SerializeToString() for word in words]
        sent += [] if last is None else [last]

        async def stream():
            for data in sent:
                yield data

        path = f"/relatent.v1.Echo/{NAMES[kind]}"
        if kind == "unary":
            return self.channel.unary_unary(path)(sent[-1], timeout=20, metadata=metadata)
        if kind == "server_stream":
            joined = StringValue(value=" ".join(words)).SerializeToString() if last is None else last
            return self.channel.unary_stream(path)(joined, timeout=20, metadata=metadata)
        if kind == "client_stream":
            return self.channel.stream_unary(path)(stream(), timeout=20, metadata=metadata)
        return self.channel.stream_stream(path)(stream(), timeout=20, metadata=metadata)

    async def say(self, kind, *words, **fields):
        """The words that come back."""
        call = self.begin(kind, words, **fields)
        if kind in ("unary", "client_stream"):
            return StringValue.FromString(await call).value.split(), call
        return [StringValue.FromString(data).value async for data in call], call

    async def refused(self, kind, *words, **fields):
        with pytest.raises(grpc.RpcError) as caught:
            await self.say(kind, *words, **fields)
        return caught.value

    def handled(self, kind, code):
        labels = {"grpc_type": kind, "grpc_service": "relatent.v1.Echo", "grpc_method": NAMES[kind]}
        value = self.metrics.registry.get_sample_value(
            "grpc_server_handled_total", {**labels, "grpc_code": code}
        )
        return value or 0

    async def until_handled(self, kind, code):
        async with asyncio.timeout(5):
            while not self.handled(kind, code):
                await asyncio.sleep(0.002)

    async def until_idle(self):
        async with asyncio.timeout(5):
            while self.lifecycle.running:
                await asyncio.sleep(0.002)


@pytest.fixture
async def server():
    async with Server() as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_is_answered_counted_and_tells_its_id(server, kind):
    words = ("one",) if kind == "unary" else ("one", "two", "three")
    said, call = await server.say(kind, *words, metadata=[("x-request-id", "mine")])
    assert said == list(words)
    assert dict(await call.trailing_metadata())["x-request-id"] == "mine"
    await server.until_handled(kind, "OK")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("word", "code", "why"),
    [("wrong", "INVALID_ARGUMENT", "INVALID_FIELD"), ("fault", "INTERNAL", "INTERNAL")],
)
async def test_an_error_becomes_a_status_with_details(server, kind, word, code, why):
    words = (word,) if kind == "unary" else ("one", word, "two")
    error = await server.refused(kind, *words)
    assert (error.code().name, reason(error)) == (code, why)
    if word == "wrong":
        assert violated(error) == "value"
    assert "secret" not in error.details()
    await server.until_handled(kind, code)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("last", "why"), [(b"\x0a\xff\xff", "MALFORMED_REQUEST"), (b"\x0a" + bytes(200), "MESSAGE_TOO_LARGE")]
)
async def test_a_message_that_is_none_or_too_large_is_told_as_that_even_amid_a_stream(
    server, kind, last, why
):
    words = () if kind == "unary" else ("one", "two")
    error = await server.refused(kind, *words, last=last)
    assert (error.code(), reason(error)) == (grpc.StatusCode.INVALID_ARGUMENT, why)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_too_large_is_told_as_that(server, kind):
    error = await server.refused(kind, "large")
    assert (error.code(), reason(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "ANSWER_TOO_LARGE")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_whose_caller_hangs_up_is_ended_at_once(server, kind):
    call = server.begin(kind, ("wait",))
    # A stream is sent while it is read.
    reading = asyncio.create_task(call.read()) if kind == "bidi_stream" else None
    await asyncio.wait_for(server.echo.waiting.wait(), 10)
    assert server.lifecycle.running == 1
    call.cancel()
    await asyncio.wait_for(server.echo.left.wait(), 10)
    await server.until_handled(kind, "CANCELLED")
    assert server.lifecycle.running == 0
    if reading is not None:
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize("kind", ["client_stream", "bidi_stream"])
@pytest.mark.parametrize("broken_off", ["by its caller", "by its deadline"])
async def test_a_stream_that_breaks_off_between_two_requests_does_not_pass_for_a_whole_one(
    server, kind, broken_off
):
    method = getattr(server.channel, {"client_stream": "stream_unary", "bidi_stream": "stream_stream"}[kind])
    timeout = 20 if broken_off == "by its caller" else 0.3
    for _ in range(5):
        call = method(f"/relatent.v1.Echo/{NAMES[kind]}")(timeout=timeout)
        await call.write(StringValue(value="one").SerializeToString())
        await asyncio.wait_for(server.echo.heard.wait(), 10)
        server.echo.heard.clear()
        if broken_off == "by its caller":
            call.cancel()
        await server.until_idle()
    # At a deadline either side may be the first to end the call.
    assert server.handled(kind, "CANCELLED") + server.handled(kind, "DEADLINE_EXCEEDED") == 5
    assert server.echo.streams_heard_out == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_while_draining_no_kind_of_call_is_taken(server, kind):
    server.lifecycle.drain()
    error = await server.refused(kind, "one")
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
