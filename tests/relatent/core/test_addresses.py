"""Every address of another form is refused at once, with the form that is right."""

from __future__ import annotations

import time
from typing import Any

import pytest

import relatent
from relatent.cli.main import main
from relatent.core.addresses import LONGEST_PATH, Address, AddressError, parse_address, parse_addresses
from relatent_service.settings import read_settings

WRONG = {
    "http://127.0.0.1:8500": "write 127.0.0.1:8500, without http://",
    "https://gpu.example:443/x": "write gpu.example:443, without https://",
    "tcp://[::1]:5": "write [::1]:5, without tcp://",
    "http://host": "write host:8500, without http://",
    "xds:///service": "without xds://",
    "::1:8500": "write an IPv6 address in brackets, as in [::1]:8500",
    "fe80::1": "write an IPv6 address in brackets, as in [fe80::1]:8500",
    "[::1]": "the port is missing, as in [::1]:8500",
    "[::1:8500": "'[::1' is no IPv6 address in brackets",
    "[127.0.0.1]:8500": "'[127.0.0.1]' is no IPv6 address in brackets",
    "localhost": "the port is missing, as in localhost:8500",
    "8500": "the port is missing, as in 127.0.0.1:8500",
    "dns:///service": "the port is missing, as in dns:///service:8500",
    ":8500": "the host is missing, as in 127.0.0.1:8500",
    "dns:///:8500": "the host is missing, as in dns:///127.0.0.1:8500",
    "host:65536": "65535",
    "host:": "'' is no port, as in host:8500",
    "host:http": "'http' is no port, as in host:8500",
    "host:-1": "'-1' is no port",
    "host:٨": "is no port",
    "999.1.1.1:8500": "'999.1.1.1' is no IPv4 address",
    "127.1:8500": "'127.1' is no IPv4 address",
    "a b:8500": "'a b' is no host",
    "user@host:8500": "'user@host' is no host",
    "a..b:8500": "'a..b' is no host",
    "ipv4:10.0.0.1:8500": "write 10.0.0.1:8500, without ipv4:",
    "ipv6:[::1]:5": "write [::1]:5, without ipv6:",
    "host:" + "9" * 5000: "is no port, as in host:8500",
    "a:" * 1000 + "b": "write an IPv6 address in brackets, as in 127.0.0.1:8500",
    "x:" * 1000 + "z": "'z' is no port, as in 127.0.0.1:8500",
    "unix:/\ud800.sock": "that is no path of this system",
    "unix:": "the path is missing, as in unix:/run/relatent.sock",
    "unix://run/relatent.sock": "write unix:/path or unix:///path",
    "unix:/" + "x" * LONGEST_PATH: f"at most {LONGEST_PATH} bytes, this one {LONGEST_PATH + 1}",
}


@pytest.mark.parametrize(("text", "right"), WRONG.items())
def test_what_has_another_form_is_refused_at_once_by_clients_and_the_service(
    text: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    with pytest.raises(relatent.InputError) as caught:
        relatent.Client(text)
    assert f"addresses: expected host:port, [IPv6]:port or unix:/path, got {text!r}: " in str(caught.value)
    assert right in str(caught.value)
    with pytest.raises(relatent.InputError):
        relatent.AsyncClient(["127.0.0.1:8500", text])
    for read in (lambda: main(["models", "--address", text]), lambda: read_settings(["--listen", text], {})):
        with pytest.raises(SystemExit) as ended:
            read()
        assert ended.value.code == 2
        said = " ".join(capsys.readouterr().err.split())
        assert right in said
        assert "argument --address:" in said or "argument --listen:" in said
    assert time.monotonic() - began < 5


def test_the_environment_is_read_as_the_flag_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELATENT_ADDRESS", "http://127.0.0.1:8500")
    with pytest.raises(SystemExit):
        main(["models"])
    assert "write 127.0.0.1:8500, without http://" in " ".join(capsys.readouterr().err.split())


def test_a_client_needs_a_port_and_a_server_may_leave_it_to_the_system() -> None:
    with pytest.raises(AddressError, match=r"got 'host:0': a port is 1 to 65535"):
        parse_address("host:0")
    assert read_settings(["--listen", "host:0"], {}).listen == Address("host", 0)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:8500", Address("localhost", 8500)),
        ("relatent_service.ns.svc.cluster.local.:1", Address("relatent_service.ns.svc.cluster.local.", 1)),
        ("10.0.0.1:65535", Address("10.0.0.1", 65535)),
        ("[2001:db8::1]:8500", Address("2001:db8::1", 8500)),
        ("[fe80::1%eth0]:8500", Address("fe80::1%eth0", 8500)),
        ("dns:///relatent:8500", Address("relatent", 8500, resolver="dns:///")),
        ("dns:relatent:8500", Address("relatent", 8500, resolver="dns:")),
        ("dns://10.0.0.2/relatent:8500", Address("relatent", 8500, resolver="dns://10.0.0.2/")),
        ("unix:/run/relatent.sock", Address(path="/run/relatent.sock")),
        ("unix:run/relatent.sock", Address(path="run/relatent.sock")),
    ],
)
def test_what_can_be_reached_is_written_as_it_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text
    assert relatent.Client(text)


def test_a_socket_may_be_written_as_a_uri_and_is_escaped_for_grpc() -> None:
    assert parse_address("unix:///run/relatent.sock") == Address(path="/run/relatent.sock")
    assert Address(path="/run/a b#c%20?.sock").target == "unix:/run/a%20b%23c%2520%3F.sock"
    assert parse_address("unix:/tmp/\udcff.sock").target == "unix:/tmp/%FF.sock"


def test_several_addresses_are_told_apart_by_commas() -> None:
    several = parse_addresses("unix:/a.sock, 127.0.0.1:1 ,dns:///b:2,")
    assert [str(address) for address in several] == ["unix:/a.sock", "127.0.0.1:1", "dns:///b:2"]


@pytest.mark.parametrize("nothing", ["", " , ", []])
def test_at_least_one_address_is_needed(nothing: Any) -> None:
    with pytest.raises(relatent.InputError, match="addresses: expected at least one host:port"):
        relatent.Client(nothing)


def test_what_is_no_text_is_no_address() -> None:
    port: Any = [8500]
    with pytest.raises(relatent.InputError, match=r"as text, got \[8500\]"):
        relatent.Client(port)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("0.0.0.0:1", True),
        ("LOCALHOST:1", True),
        ("dns:///localhost:1", True),
        ("a.localhost:1", True),
        ("unix:/run/relatent.sock", True),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
        ("[2001:db8::1]:1", False),
    ],
)
def test_what_is_on_this_machine_is_told_from_what_may_not_be(text: str, local: bool) -> None:
    assert parse_address(text).local is local


@pytest.mark.parametrize("flag", ["--metrics-listen", "--triton"])
def test_where_no_socket_can_be_used_none_is_taken(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings([flag, "unix:/run/x.sock"], {})
    assert "expected host:port, got 'unix:/run/x.sock': here it can be no socket" in capsys.readouterr().err


def test_tritons_of_another_form_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(["--triton", "a:8001,http://b:8001"], {})
    assert "write b:8001, without http://" in " ".join(capsys.readouterr().err.split())
