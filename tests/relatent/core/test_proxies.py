"""What is on this machine is never behind a proxy; errors of whatever is name the proxy and the cure."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

import relatent
from relatent.cli.main import main
from relatent.core.addresses import parse_address
from relatent.core.proxies import proxy_hint
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PROXY = {"http_proxy": "http://proxy:3128"}
FAR = "relatent.example:8500"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dead() -> Iterator[str]:
    """A proxy's address where nobody listens, though nobody else can either."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A proxy that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
async def test_a_server_on_loopback_is_reached_whatever_proxy_there_is(
    call: Call, server: FakeServer, monkeypatch: pytest.MonkeyPatch, dead: str, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://{dead}")
    port = server.address.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "dns:///localhost"):
        assert await call(f"{host}:{port}", "pack", timeout=10.0)


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
async def test_an_error_behind_a_proxy_names_it_its_variable_and_the_cure(
    call: Call, monkeypatch: pytest.MonkeyPatch, dead: str, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://me:secret@{dead}")
    with pytest.raises(relatent.UnavailableError) as caught:
        await call(FAR, "pack", timeout=0.3)
    assert str(caught.value) == (
        f"cannot connect: Connection refused; it goes through the proxy {dead} of {variable}: "
        f"set no_proxy=relatent.example to go without ({FAR})"
    )


async def test_a_proxy_that_says_nothing_is_named_too(
    call: Call, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{silent}")
    with pytest.raises(relatent.CallError, match=rf"the proxy {silent} of http_proxy: set no_proxy="):
        await call(FAR, "pack", timeout=0.3)


def test_the_command_line_names_it_too(
    monkeypatch: pytest.MonkeyPatch, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{dead}")
    assert main(["models", "--address", FAR, "--timeout", "0.3"]) == 3
    assert f"the proxy {dead} of http_proxy: set no_proxy=relatent.example" in capsys.readouterr().err


@pytest.mark.parametrize("proxy", ["http://me:secret@[::1:3128", "http://a\u2100b:1"])
async def test_a_proxy_that_is_no_address_is_told_as_such(
    call: Call, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(relatent.UnavailableError) as caught:
        await call(FAR, "pack", timeout=0.1)
    assert str(caught.value).endswith(
        "; it goes through the proxy of http_proxy, which is no host:port: "
        f"set no_proxy=relatent.example to go without ({FAR})"
    )


async def test_what_a_server_itself_says_is_left_alone(
    call: Call, server: FakeServer, monkeypatch: pytest.MonkeyPatch, dead: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{dead}")
    server.scripts = [fake.fails(grpc.StatusCode.UNAVAILABLE, "draining")]
    with pytest.raises(relatent.UnavailableError, match=r"^draining \(127"):
        await call(server.address, "invert", np.zeros((8, 8, 3), np.uint8), timeout=0.3)


# As gRPC's C core, asked with a proxy that takes note, has it.
@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"grpc_proxy": "http://a:1", "https_proxy": "http://b:1", **PROXY}, "grpc_proxy"),
        ({"https_proxy": "http://b:1", **PROXY}, "https_proxy"),
        (PROXY, "http_proxy"),
        ({"https_proxy": "", **PROXY}, None),
        ({"HTTP_PROXY": "http://a:1", "HTTPS_PROXY": "http://a:1", "all_proxy": "http://a:1"}, None),
        ({"http_proxy": "socks5://a:1"}, None),
        ({"http_proxy": "socks5://[::1:1"}, None),
        ({"http_proxy": "127.0.0.1:9"}, None),
        ({}, None),
    ],
)
def test_the_variables_are_those_that_grpc_reads_in_its_order(
    environment: dict[str, str], variable: str | None
) -> None:
    hint = proxy_hint(parse_address(FAR), environment)
    assert (f" of {variable}: " in hint) if variable else hint == ""


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("a.example.com", {"no_proxy": "example.com"}, True),
        ("a.example.com", {"no_proxy": " x , .example.com"}, True),
        ("a.example.com", {"no_proxy": "EXAMPLE.com"}, False),
        ("a.example.com", {"no_proxy": "*.example.com"}, False),
        ("a.example.com", {"no_proxy": "*"}, False),
        ("a.example.com", {"NO_PROXY": "example.com"}, False),
        ("a.example.com", {"no_grpc_proxy": "x", "no_proxy": "example.com"}, False),
        ("a.example.com", {"no_grpc_proxy": "example.com", "no_proxy": "x"}, True),
        ("10.1.2.3", {"no_proxy": "10.1.0.0/16"}, True),
        ("10.1.2.3", {"no_proxy": "10.2.0.0/16"}, False),
        ("10.1.2.3", {"no_proxy": "10.1.2.3:8500"}, False),
        ("[2001:db8::1]", {"no_proxy": "2001:db8::1"}, True),
        ("[2001:db8::1]", {"no_proxy": "[2001:db8::1]"}, False),
    ],
)
def test_the_exceptions_are_those_that_grpc_makes(
    host: str, exceptions: dict[str, str], direct: bool
) -> None:
    assert (proxy_hint(parse_address(f"{host}:8500"), PROXY | exceptions) == "") is direct


def test_the_cure_is_added_to_the_exceptions_that_count() -> None:
    address = parse_address(FAR)
    assert "add relatent.example to no_proxy to" in proxy_hint(address, PROXY | {"no_proxy": "x"})
    assert "add relatent.example to no_grpc_proxy to" in proxy_hint(
        address, PROXY | {"no_grpc_proxy": "x", "no_proxy": "y"}
    )
