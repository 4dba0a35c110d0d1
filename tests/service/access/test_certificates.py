"""The service's certificate: shown, asked for, renewed while calls go on."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from relatent.core.credentials import read_pair
from relatent.v1 import catalog_pb2
from relatent_service.access.certificates import (
    CertificateFiles,
    ServedCertificate,
    UnusableCertificate,
)
from relatent_service.access.expiry import ends_of
from relatent_service.telemetry.metrics import Metrics
from relatent_service.telemetry.scrapes import ScrapeServer
from tests.fixtures.certificates import PAST, Authority, Issued
from tests.fixtures.running import Running, running_server
from tests.fixtures.sessions import move, open_session

pytestmark = pytest.mark.asyncio(loop_scope="function")

NOTHING = ""
FIRST, SECOND = datetime(2031, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "other")


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue(ends=FIRST)


def files(issued: Issued, client_ca: Path | None = None) -> CertificateFiles:
    return CertificateFiles(issued.certificate, issued.key, client_ca)


def credentials(authority: Authority, shown: Issued | None = None) -> grpc.ChannelCredentials:
    if shown is None:
        return grpc.ssl_channel_credentials(authority.pem)
    pair = read_pair(shown.certificate, shown.key)
    return grpc.ssl_channel_credentials(authority.pem, pair.key, pair.certificate)


def flags(issued: Issued, client_ca: Path | None = None) -> list[str]:
    pairs = {"--tls-certificate": issued.certificate, "--tls-key": issued.key, "--tls-client-ca": client_ca}
    return [str(part) for pair in pairs.items() if pair[1] is not None for part in pair]


@pytest.fixture
async def running(tiny_root: Path, issued: Issued, authority: Authority) -> AsyncIterator[Running]:
    async with running_server(tiny_root, *flags(issued), credentials=credentials(authority)) as server:
        yield server


async def shown_end(port: int, authority: Authority, shown: Issued | None = None) -> datetime:
    """When the certificate ends that a new connection is shown."""

    def look() -> datetime:
        context = ssl.create_default_context(cafile=authority.path)
        context.set_alpn_protocols(["h2"])
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            data = connection.getpeercert(binary_form=True)
            assert data is not None
            return ends_of(ssl.DER_cert_to_PEM_cert(data).encode())

    return await asyncio.to_thread(look)


def port(running: Running) -> int:
    return int(running.address.rpartition(":")[2])


async def listed(channel: grpc.aio.Channel) -> Any:
    method = channel.unary_unary(
        "/relatent.v1.CatalogService/ListPacks",
        request_serializer=catalog_pb2.ListPacksRequest.SerializeToString,
        response_deserializer=catalog_pb2.ListPacksResponse.FromString,
    )
    return await method(catalog_pb2.ListPacksRequest(), timeout=5)


def renewing(running: Running) -> ServedCertificate:
    assert running.server.access.certificate is not None
    return running.server.access.certificate


async def test_calls_go_by_tls_and_the_certificates_end_is_a_metric(running: Running) -> None:
    assert (await listed(running.channel)).packs
    assert running.metric("relatent_certificate_expires_timestamp_seconds") == FIRST.timestamp()
    async with grpc.aio.insecure_channel(running.address) as plain:
        with pytest.raises(grpc.RpcError):
            await listed(plain)


async def test_without_tls_there_is_no_such_metric(tiny_root: Path) -> None:
    async with running_server(tiny_root) as running:
        name = "relatent_certificate_expires_timestamp_seconds"
        assert running.server.metrics.registry.get_sample_value(name) is None


async def test_a_renewed_certificate_is_shown_to_new_connections_and_no_call_is_dropped(
    running: Running, authority: Authority
) -> None:
    async with open_session(running.editing) as session:
        await session.change(1, move(0.5))
        assert (await session.answer()).HasField("edited")
        assert await shown_end(port(running), authority) == FIRST
        authority.issue(ends=SECOND)
        renewing(running).renew()
        assert await shown_end(port(running), authority) == SECOND
        await session.change(2, move(0.25))
        assert (await session.answer()).HasField("edited")
        assert await session.rest() == []
    assert running.metric("relatent_certificate_expires_timestamp_seconds") == SECOND.timestamp()


@pytest.mark.parametrize("what", ["a certificate without its key", "broken", "gone"])
async def test_what_cannot_be_used_leaves_the_certificate_as_it_was_and_is_logged_once(
    what: str, running: Running, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, fresh = tmp_path / "ca" / "server.pem", authority.issue("fresh", ends=SECOND)
    match what:
        case "broken":
            server.write_text("no certificate")
        case "gone":
            server.unlink()
        case _:
            server.write_bytes(fresh.certificate.read_bytes())
    with caplog.at_level(logging.ERROR):
        renewing(running).renew()
        renewing(running).renew()
    (record,) = caplog.records
    assert record.getMessage().startswith("the certificate stays as it was: --tls-")
    assert await shown_end(port(running), authority) == FIRST
    server.write_bytes(fresh.certificate.read_bytes())
    server.with_suffix(".key").write_bytes(fresh.key.read_bytes())
    renewing(running).renew()
    assert await shown_end(port(running), authority) == SECOND


async def test_where_callers_must_show_a_certificate_one_without_or_of_another_authority_is_not_let_in(
    tiny_root: Path, issued: Issued, authority: Authority, other: Authority
) -> None:
    given = flags(issued, authority.path)
    right = credentials(authority, authority.issue("client"))
    async with running_server(tiny_root, *given, credentials=right) as running:
        assert (await listed(running.channel)).packs
        for wrong in (credentials(authority), credentials(authority, other.issue("client"))):
            async with grpc.aio.secure_channel(f"localhost:{port(running)}", wrong) as channel:
                with pytest.raises(grpc.RpcError) as caught:
                    await listed(channel)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_an_authority_that_is_replaced_lets_in_no_more(
    tiny_root: Path, issued: Issued, authority: Authority, other: Authority, tmp_path: Path
) -> None:
    client_ca = tmp_path / "client-ca.pem"
    client_ca.write_bytes(authority.pem)
    ours, theirs = authority.issue("client"), other.issue("client")
    given = flags(issued, client_ca)
    async with running_server(tiny_root, *given, credentials=credentials(authority, ours)) as running:
        assert (await listed(running.channel)).packs
        client_ca.write_bytes(other.pem + b"\n")
        renewing(running).renew()
        address = f"localhost:{port(running)}"
        async with grpc.aio.secure_channel(address, credentials(authority, theirs)) as channel:
            assert (await listed(channel)).packs
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(address, credentials(authority, ours), options=options) as channel:
            with pytest.raises(grpc.RpcError):
                await listed(channel)


@pytest.mark.parametrize(
    ("missing", "flag"),
    [("certificate", "--tls-certificate"), ("key", "--tls-key"), ("ca", "--tls-client-ca")],
)
async def test_at_the_start_what_cannot_be_used_is_told_with_its_flag(
    missing: str, flag: str, issued: Issued, authority: Authority
) -> None:
    path: Path = authority.path if missing == "ca" else getattr(issued, missing)
    path.unlink()
    with pytest.raises(UnusableCertificate) as caught:
        ServedCertificate(files(issued, authority.path))
    assert str(caught.value) == f"{flag} {path}: No such file or directory"


async def test_one_that_has_ended_is_warned_of(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ServedCertificate(files(authority.issue(ends=PAST)))
    assert [vars(record)["ends"] for record in caplog.records] == [PAST.isoformat()]


async def scrape(port: int, authority: Authority, shown: Issued | None = None) -> str:
    def ask() -> str:
        context = ssl.create_default_context(cafile=authority.path)
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            try:
                connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            except OSError:  # hung up, with or without a word
                return NOTHING

    return await asyncio.to_thread(ask)


async def test_metrics_go_by_the_same_certificate_and_renew_with_it(
    issued: Issued, authority: Authority
) -> None:
    certificate = ServedCertificate(files(issued))
    server = ScrapeServer(Metrics().registry)
    await server.start("127.0.0.1", 0, certificate.for_sockets())
    assert "relatent_backlog_seconds" in await scrape(server.port, authority)
    assert await shown_end(server.port, authority) == FIRST
    authority.issue(ends=SECOND)
    certificate.renew()
    assert await shown_end(server.port, authority) == SECOND
    await server.stop()


async def test_metrics_ask_for_a_certificate_as_calls_do_and_of_the_newest_authority(
    issued: Issued, authority: Authority, other: Authority, tmp_path: Path
) -> None:
    client_ca = tmp_path / "client-ca.pem"
    client_ca.write_bytes(authority.pem)
    ours, theirs = authority.issue("client"), other.issue("client")
    certificate = ServedCertificate(files(issued, client_ca))
    server = ScrapeServer(Metrics().registry)
    await server.start("127.0.0.1", 0, certificate.for_sockets())
    assert "relatent_backlog_seconds" in await scrape(server.port, authority, ours)
    for shown in (None, theirs):
        assert await scrape(server.port, authority, shown) == NOTHING
    client_ca.write_bytes(other.pem + b"\n")
    certificate.renew()
    assert "relatent_backlog_seconds" in await scrape(server.port, authority, theirs)
    assert await scrape(server.port, authority, ours) == NOTHING
    await server.stop()
