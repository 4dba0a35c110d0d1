"""What is done about a session, step by step, without a server."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import Mock

import grpc
import pytest

from relatent.client.blocking_transport import BlockingTransport
from relatent.client.exchange import Exchange
from relatent.client.flows import Flows
from relatent.client.retrying import Converse, Flow, Sleep
from relatent.client.session_flows import SessionFlows
from relatent.client.settings import ClientSettings
from relatent.v1 import editing_pb2
from tests.relatent.client import fake

A = "127.0.0.1:1"


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(editing_pb2.EditSessionOpening(latent=fake.latent()), None, lambda message: None)


@pytest.fixture
def flow(exchange: Exchange) -> Flow[None]:
    settings = ClientSettings([A])
    return SessionFlows(settings, Flows(settings), None).converse(exchange, None)


def lost(*details: Any) -> grpc.RpcError:
    metadata = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, metadata, metadata, "lost")


def test_who_hangs_up_between_two_attempts_is_called_no_more(exchange: Exchange, flow: Flow[None]) -> None:
    assert isinstance(next(flow), Converse)
    exchange.end_call()
    assert isinstance(flow.throw(lost()), Sleep)
    exchange.hang_up()
    with pytest.raises(StopIteration):
        flow.send(None)


def test_a_call_that_no_thread_can_watch_is_told_to_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Mock(requests=lambda: iter(()))
    transport = BlockingTransport(ClientSettings([A]))

    def flow() -> Flow[None]:
        yield Converse(A, "/none/none", editing_pb2.EditStreamResponse, 1.0, talk)

    monkeypatch.setattr(threading.Timer, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        transport.run(flow())
    transport.close()
    talk.ended.assert_called_once_with()
