"""A real service that speaks TLS and asks for keys, from the command that makes one to the last scrape."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import relatent
from relatent.cli.local_service import LocalService
from tests.fixtures import tiny
from tests.fixtures.certificates import Authority
from tests.system.processes import ServiceProcess
from tests.system.secured import Secured, relatent_command

WRONG = "relatent_wrong-and-not-to-be-seen"


@pytest.fixture(scope="module")
def secured(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tiny_root, tmp_path_factory.mktemp("secured"))
    try:
        secured.service.wait_ready()
        yield secured
    finally:
        secured.service.end()


def test_the_command_comes_in_with_what_the_environment_has(secured: Secured, tmp_path: Path) -> None:
    environment = {
        "RELATENT_ADDRESS": secured.address,
        "RELATENT_TLS_CA": str(secured.authority.path),
        "RELATENT_API_KEY": secured.key,
    }
    done = relatent_command("models", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert [pack["name"] for pack in json.loads(done.stdout)["packs"]] == ["tiny"]
    key = tmp_path / "key"
    key.write_text(secured.key)
    words = [
        "--address",
        secured.address,
        "--tls-ca",
        str(secured.authority.path),
        "--api-key-file",
        str(key),
    ]
    assert relatent_command("models", *words).returncode == 0


@pytest.mark.parametrize(
    ("changed", "code", "expected"),
    [
        ({"RELATENT_API_KEY": ""}, 1, "[KEY_MISSING]; give --api-key-file or RELATENT_API_KEY"),
        ({"RELATENT_API_KEY": WRONG}, 1, "[KEY_UNKNOWN]; ask for another key"),
        (
            {"RELATENT_TLS_CA": ""},
            3,
            "the service speaks TLS; set tls=True or tls=Tls(…), or --tls or --tls-ca",
        ),
        ({"RELATENT_TLS_CA": "", "RELATENT_TLS": "yes"}, 3, "not vouched for"),
    ],
)
def test_the_command_says_what_to_do(
    changed: dict[str, str], code: int, expected: str, secured: Secured
) -> None:
    environment = {
        "RELATENT_ADDRESS": secured.address,
        "RELATENT_TLS_CA": str(secured.authority.path),
        "RELATENT_API_KEY": secured.key,
    }
    done = relatent_command("models", **environment | changed)
    assert (done.returncode, done.stdout) == (code, "")
    assert expected in done.stderr
    assert WRONG not in done.stderr


def test_a_key_made_now_is_let_in_soon_and_one_revoked_is_not(secured: Secured) -> None:
    key = secured.new_key("later", "--pack", "tiny")
    assert eventually(lambda: comes_in(secured, key))
    done = relatent_command("keys", "revoke", "later", "--api-keys", str(secured.keys))
    assert done.returncode == 0
    assert eventually(lambda: not comes_in(secured, key))
    assert comes_in(secured, secured.key)


def test_a_quota_set_by_the_command_holds_soon_and_is_lifted_again(secured: Secured) -> None:
    key = secured.new_key("rationed", "--steps-a-minute", "50")
    assert eventually(lambda: comes_in(secured, key))
    planned = relatent.PlannedCall.invert(steps=80)
    with secured.client(key) as client:
        told = client.estimate(planned)
        assert told.quota == relatent.QuotaLeft(50, None)
        assert isinstance(told.refusal, relatent.PreconditionError)
        with pytest.raises(relatent.PreconditionError, match="may have 50 a minute"):
            client.invert(tiny.random_image(1), steps=80)
        words = ("keys", "set", "rationed", "--steps-a-minute", "none", "--api-keys", str(secured.keys))
        assert relatent_command(*words).returncode == 0
        assert eventually(lambda: client.estimate(planned).refusal is None)
        assert client.invert(tiny.random_image(1), steps=80).steps == 80


def comes_in(secured: Secured, key: str) -> bool:
    with secured.client(key) as client:
        try:
            return bool(client.catalog().packs)
        except (relatent.UnauthenticatedError, relatent.OverloadedError):
            return False


def eventually(condition: Any) -> bool:
    """Whether something holds within as many looks as a server's renewal may take."""
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_a_renewed_certificate_is_shown_without_a_restart(secured: Secured) -> None:
    def serial() -> int:
        context = ssl.create_default_context(cafile=secured.authority.path)
        host, _, port = secured.address.partition(":")
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((host, int(port)), 5) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            return int(str((connection.getpeercert() or {})["serialNumber"]), 16)

    before = serial()
    with secured.client() as client:
        found = client.invert(tiny.random_image(1), steps=4)
        with client.edit_session(found.latent) as session:
            secured.authority.issue("server")
            assert eventually(lambda: serial() != before)
            session.change([relatent.Move("brightness", 1.0)])
            assert session.answer(timeout=30)
    assert secured.service.log_lines("renewed certificate")


def test_the_probe_speaks_tls_where_the_service_does(secured: Secured) -> None:
    environment = {"RELATENT_LISTEN": secured.service.address}

    def probe(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "relatent_service.probe"],
            env=os.environ | environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert probe(RELATENT_TLS_CERTIFICATE=str(secured.server.certificate)).returncode == 0
    assert probe().returncode == 1


def start(tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """A service that cannot."""
    (tmp_path / "packs").mkdir(exist_ok=True)
    listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--engine", "local"]
    return subprocess.run(
        [sys.executable, "-P", "-m", "relatent_service", *listen, *flags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_cannot_be_used_at_the_start_is_one_line_with_flag_and_file(
    tiny_root: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    issued, other = authority.issue(), authority.issue("other")
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    packs = ["--packs", f"{tiny_root}/packs", "--repository", f"{tiny_root}/model_repository"]
    cases = {
        f"--tls-key {other.key}: does not belong to the certificate {issued.certificate}": [
            *("--tls-certificate", str(issued.certificate), "--tls-key", str(other.key)),
        ],
        f"--api-keys {broken}: expected ": ["--api-keys", str(broken)],
        f"--triton-tls-ca {tmp_path}/none: No such file": ["--triton-tls-ca", f"{tmp_path}/none"],
    }
    for expected, flags in cases.items():
        done = start(tmp_path, *packs, *flags)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert done.returncode == 2
        (critical,) = [line["message"] for line in lines if line["level"] == "critical"]
        assert critical.startswith(expected)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("insecure", [False, True])
def test_listening_to_others_is_warned_of_unless_told_not_to(
    insecure: bool, tiny_root: Path, tmp_path: Path
) -> None:
    flags = ["--engine", "local", "--listen", "0.0.0.0:0", *(["--insecure"] if insecure else [])]
    service = ServiceProcess(tiny_root, tmp_path / "server", *flags)
    try:
        service.wait_ready()
        warnings = [line["message"] for line in service.log_lines("--listen 0.0.0.0:0 is open")]
    finally:
        service.end()
    named = [flag for flag in ("--tls-certificate", "--api-keys", "--insecure") if flag in " ".join(warnings)]
    assert named == ([] if insecure else ["--tls-certificate", "--api-keys", "--insecure"])


def test_a_service_for_oneself_is_plain_whatever_the_environment_says_of_another(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TLS_CERTIFICATE", "TLS_KEY", "TLS_CLIENT_CA", "API_KEYS"):
        monkeypatch.setenv(f"RELATENT_{name}", "/nonexistent")
    packs = ["--packs", f"{tiny_root}/packs", "--repository", f"{tiny_root}/model_repository"]
    with (
        LocalService(["--engine", "local", *packs], tmp_path / "log") as service,
        relatent.Client(service.address, timeout=30) as client,
    ):
        assert client.catalog().packs
