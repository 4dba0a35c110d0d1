"""Clients and services that agree on TLS and on keys, and those that do not."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relatent
from relatent import Tls
from relatent.cli.local_service import LocalService
from relatent.client.settings import ClientSettings
from relatent.core.access_keys import keys_document, make_key, new_secret
from relatent.core.addresses import parse_address
from tests.fixtures import tiny
from tests.fixtures.certificates import Authority, Issued

SECRET, OTHER = new_secret(), new_secret()
SOON = 5.0
"""Seconds, of a client's sixty."""


@dataclass(frozen=True)
class Place:
    """Certificates, and a service that asks for keys."""

    authority: Authority
    other: Authority
    client: Issued
    theirs: Issued
    address: str

    @property
    def tls(self) -> Tls:
        return Tls(roots=self.authority.path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    tiny.write_tiny(folder)
    keys = [make_key("ours", SECRET, [], None), make_key("other", OTHER, ["gone"], None)]
    (folder / "keys.json").write_bytes(keys_document(keys))
    return folder


def serving(folder: Path, name: str, *flags: object, host: str = "localhost") -> Iterator[Place]:
    authority, other = Authority(folder / name), Authority(folder / f"other-{name}")
    client, theirs = authority.issue("client"), other.issue("client")
    issued = authority.issue("server", *(("gpu1.example",) if name == "named" else ()))
    repository = ["--packs", folder / "packs", "--repository", folder / "model_repository"]
    shown: list[object] = ["--tls-certificate", issued.certificate, "--tls-key", issued.key]
    asked = ["--tls-client-ca", authority.path] if name == "mutual" else []
    words = map(str, ["--engine", "local", *repository, *shown, *asked, *flags])
    with LocalService(list(words), folder / f"{name}.log") as service:
        port = parse_address(service.address).port
        yield Place(authority, other, client, theirs, f"{host}:{port}")


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[Place]:
    yield from serving(folder, "keys", "--api-keys", folder / "keys.json")


@pytest.fixture(scope="module")
def mutual(folder: Path) -> Iterator[Place]:
    yield from serving(folder, "mutual")


@pytest.fixture(scope="module")
def named(folder: Path) -> Iterator[Place]:
    yield from serving(folder, "named")


def packs(address: str, **access: Any) -> list[str]:
    with relatent.Client(address, timeout=60, **access) as client:
        return sorted(client.catalog().packs)


def failure(kind: type[relatent.CallError], address: str, **access: Any) -> str:
    """What a client says, soon, of its own accord; and that of asyncio alike."""
    began = time.monotonic()
    with relatent.Client(address, timeout=60, **access) as client, pytest.raises(kind) as caught:
        client.catalog()
    assert time.monotonic() - began < SOON

    async def ask() -> None:
        async with relatent.AsyncClient(address, timeout=60, **access) as client:
            await client.catalog()

    with pytest.raises(kind) as again:
        asyncio.run(ask())
    assert str(again.value) == str(caught.value)
    return str(caught.value)


def test_a_client_that_knows_the_authority_and_has_a_key_comes_in(place: Place) -> None:
    assert packs(place.address, tls=place.tls, api_key=SECRET) == ["tiny"]


def test_so_it_does_in_every_kind_of_call(place: Place) -> None:
    with relatent.Client(place.address, timeout=60, tls=place.tls, api_key=SECRET) as client:
        picture = tiny.random_image(1)
        found = client.invert(picture, steps=4)
        assert client.edit(found.latent, [relatent.Move("brightness", 1.0)]).images
        assert client.sample([1])
        with client.edit_session(found.latent) as session:
            session.change([relatent.Move("brightness", 1.0)])
            assert session.answer().edited


def test_a_client_of_asyncio_comes_in_likewise(place: Place) -> None:
    async def ask() -> list[str]:
        async with relatent.AsyncClient(place.address, tls=place.tls, api_key=SECRET) as client:
            found = await client.invert(tiny.random_image(1), steps=4)
            assert found.steps == 4
            return sorted((await client.catalog()).packs)

    assert asyncio.run(ask()) == ["tiny"]


def test_the_systems_authorities_vouch_where_no_others_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(place.authority.path))
    assert packs(place.address, tls=True, api_key=SECRET) == ["tiny"]


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        ("", relatent.UnauthenticatedError, "KEY_MISSING"),
        ("wrong", relatent.UnauthenticatedError, "KEY_UNKNOWN"),
    ],
)
def test_a_key_that_is_not_let_in_is_told_at_once(
    key: str, kind: type[relatent.CallError], expected: str, place: Place
) -> None:
    with relatent.Client(place.address, tls=place.tls, api_key=key) as client, pytest.raises(kind) as caught:
        client.catalog()
    assert caught.value.reason == expected


def test_a_session_that_is_not_let_in_is_told_why_however_much_of_it_was_sent(place: Place) -> None:
    code = relatent.LatentCode(np.zeros(tiny.CODE, np.float32), "tiny", "1" * 64)

    async def reasons() -> set[str]:
        async with relatent.AsyncClient(place.address, timeout=60, tls=place.tls) as client:

            async def told() -> str:
                with pytest.raises(relatent.UnauthenticatedError) as caught:
                    async with client.edit_session(code):
                        pass
                return caught.value.reason

            return set(await asyncio.gather(*(told() for _ in range(50))))

    assert asyncio.run(reasons()) == {"KEY_MISSING"}


def test_a_pack_that_the_key_is_not_for_is_told_with_those_that_it_is_for(place: Place) -> None:
    with (
        relatent.Client(place.address, tls=place.tls, api_key=OTHER) as client,
        pytest.raises(relatent.PermissionDeniedError, match=r"is not for 'tiny'; it may use: none") as caught,
    ):
        client.pack("tiny")
    assert caught.value.reason == "PACK_NOT_ALLOWED"


def test_too_many_wrong_keys_are_not_sent_again_and_again() -> None:
    error = relatent.OverloadedError(None, "m", reason="TOO_MANY_WRONG_KEYS", retry_after=60)
    assert not error.retriable


def test_an_authority_that_is_not_known_is_told_with_the_cure(place: Place) -> None:
    for tls in (Tls(roots=place.other.path), True):
        told = failure(relatent.TlsError, place.address, tls=tls)
        assert (
            "not vouched for: unable to get local issuer certificate; set tls=Tls(roots=…), or --tls-ca"
            in told
        )


def test_a_name_that_the_certificate_is_not_for_is_told(named: Place) -> None:
    told = failure(relatent.TlsError, named.address, tls=named.tls)
    assert told == "the service's certificate is not for localhost; call it by a name that it is for"


def test_a_service_that_speaks_tls_says_so_to_one_that_does_not(place: Place) -> None:
    assert failure(relatent.TlsError, place.address).startswith("the service speaks TLS; set tls=True")


def test_a_service_that_speaks_no_tls_is_told_of(address: str) -> None:
    assert failure(relatent.TlsError, address, tls=True).startswith("the service speaks no TLS there")


def test_a_service_that_asks_for_certificates_takes_one_of_its_authority(mutual: Place) -> None:
    tls = Tls(mutual.authority.path, mutual.client.certificate, mutual.client.key)
    assert packs(mutual.address, tls=tls) == ["tiny"]


def test_and_names_the_cure_to_one_without_any(mutual: Place) -> None:
    told = failure(relatent.TlsError, mutual.address, tls=mutual.tls)
    assert told.startswith("the service hangs up on who shows no certificate; set certificate and key of Tls")


def test_and_the_file_to_one_of_another_authority(mutual: Place) -> None:
    tls = Tls(mutual.authority.path, mutual.theirs.certificate, mutual.theirs.key)
    told = failure(relatent.TlsError, mutual.address, tls=tls)
    assert f"does not take the client certificate {mutual.theirs.certificate}" in told


def test_a_server_that_hangs_up_because_it_ends_is_not_taken_for_one_that_speaks_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        port = listening.getsockname()[1]
        for access in ({}, {"tls": True}):
            with (
                relatent.Client(f"127.0.0.1:{port}", timeout=1, **access) as client,  # type: ignore[arg-type]
                pytest.raises((relatent.UnavailableError, relatent.DeadlineError)),
            ):
                client.catalog()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("address", ["gpu1:8500", "127.0.0.1:8500,10.0.0.1:8500", "dns:///gpu1:8500"])
def test_a_key_does_not_travel_in_the_clear_to_another_machine(address: str) -> None:
    with pytest.raises(relatent.InputError, match=r"^tls: expected TLS, as others could read the API key"):
        relatent.Client(address, api_key=SECRET)
    relatent.Client(address, api_key=SECRET, tls=True).close()
    relatent.Client(address, api_key=SECRET, insecure=True).close()


@pytest.mark.parametrize("address", ["127.0.0.1:8500", "[::1]:8500", "localhost:8500", "unix:/run/x.sock"])
def test_within_this_machine_it_does(address: str) -> None:
    relatent.Client(address, api_key=SECRET).close()


@pytest.mark.parametrize("key", ["two words", "line\n", "schlüssel", "x" * 300])
def test_what_cannot_be_a_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(relatent.InputError, match="api_key: expected") as caught:
        relatent.Client(api_key=key)
    assert key not in str(caught.value)


def test_files_that_cannot_be_used_are_told_when_the_client_is_made(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    issued, other = authority.issue(), authority.issue("other")
    none = tmp_path / "none.pem"
    cases = {
        "tls.roots: .*No such file": Tls(none),
        "tls.certificate: .*No such file": Tls(certificate=none, key=issued.key),
        "tls.key: .*does not belong": Tls(certificate=issued.certificate, key=other.key),
        "tls.certificate: expected tls.key as well": Tls(certificate=issued.certificate),
        "tls.key: expected tls.certificate as well": Tls(key=issued.key),
    }
    for expected, tls in cases.items():
        with pytest.raises(relatent.InputError, match=expected):
            relatent.Client(tls=tls)


def test_a_look_at_what_is_wrong_trusts_the_authorities_that_grpc_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "ca")
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(authority.path))
    known = Tls().context().get_ca_certs(binary_form=True)
    assert known == [ssl.PEM_cert_to_DER_cert(authority.pem.decode())]


def test_a_misspelt_option_is_an_error_of_python() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'apikey'"):
        relatent.Client(apikey="x")  # type: ignore[call-arg]


def test_a_key_is_in_no_repr() -> None:
    settings = ClientSettings.of("127.0.0.1:8500", 1, 1000, None, None, {"api_key": SECRET})
    assert settings.api_key == SECRET
    assert SECRET not in repr(settings) + repr(relatent.Client(api_key=SECRET))


def test_a_client_comes_back_from_pickling_with_its_key_and_its_tls(place: Place) -> None:
    with relatent.Client(place.address, timeout=60, tls=place.tls, api_key=SECRET) as client:
        data = pickle.dumps(client)
    with pickle.loads(data) as again:
        assert sorted(again.catalog().packs) == ["tiny"]


def test_a_socket_never_speaks_tls(folder: Path, place: Place, tmp_path: Path) -> None:
    socket_path = Path(os.path.relpath(tmp_path / "s"))
    words = ["--engine", "local", "--packs", f"{folder}/packs", "--repository", f"{folder}/model_repository"]
    issued = place.authority.issue("again")
    shown = ["--tls-certificate", str(issued.certificate), "--tls-key", str(issued.key)]
    listen = ["--listen", f"unix:{socket_path}", "--api-keys", f"{folder}/keys.json"]
    with LocalService([*words, *shown, *listen], tmp_path / "log") as service:
        assert packs(service.address, tls=True, api_key=SECRET) == ["tiny"]
