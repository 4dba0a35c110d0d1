"""What commands show to a service: from arguments, and else from the environment."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest

from relatent.cli.credentials import access, add_credentials
from relatent.cli.main import main
from relatent.client.errors import InputError
from relatent.client.tls import Tls

VARIABLES = ("TLS", "TLS_CA", "TLS_CERTIFICATE", "TLS_KEY", "API_KEY", "API_KEYS")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"RELATENT_{name}", raising=False)


def read(*words: str) -> Any:
    parser = argparse.ArgumentParser()
    add_credentials(parser)
    return access(parser.parse_args(words))


def test_nothing_is_shown_unless_told() -> None:
    assert read() == {"tls": None, "api_key": "", "insecure": False}


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["--tls"], {}, Tls()),
        (["--tls-ca", "a"], {}, Tls(roots=Path("a"))),
        (["--tls-certificate", "a", "--tls-key", "b"], {}, Tls(certificate=Path("a"), key=Path("b"))),
        ([], {"TLS": "yes"}, Tls()),
        ([], {"TLS": "no"}, None),
        ([], {"TLS_CA": "a"}, Tls(roots="a")),
        (["--tls-ca", "b"], {"TLS_CA": "a"}, Tls(roots=Path("b"))),
        ([], {"TLS_CA": "a", "TLS": "no"}, None),
        (["--no-tls"], {"TLS_CA": "a"}, None),
        (["--tls-ca", "a"], {"TLS": "no"}, Tls(roots=Path("a"))),
        (["--tls-ca", "a", "--no-tls"], {}, None),
        ([], {"TLS_CA": ""}, None),
    ],
)
def test_tls_is_spoken_as_arguments_and_else_the_environment_say(
    words: list[str], environment: dict[str, str], expected: Tls | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tls, "check", lambda _: None)
    for name, value in environment.items():
        monkeypatch.setenv(f"RELATENT_{name}", value)
    assert read(*words)["tls"] == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--tls-ca", "none"], "^--tls-ca: none: No such file"),
        (["--tls-key", "none"], "^--tls-key: expected --tls-certificate as well$"),
        (["--tls-certificate", "tls.key", "--tls-key", "b"], "^--tls-certificate: tls.key: No such file"),
    ],
)
def test_files_that_cannot_be_used_are_told_by_their_flags(words: list[str], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(*words)


def test_a_switch_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATENT_TLS", "1")
    with pytest.raises(InputError, match="RELATENT_TLS: expected yes or no, got '1'"):
        read()


def test_the_key_is_in_a_file_or_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATENT_API_KEY", "from-environment")
    assert read()["api_key"] == "from-environment"
    (tmp_path / "key").write_text("from-file\n")
    assert read("--api-key-file", str(tmp_path / "key"))["api_key"] == "from-file"


@pytest.mark.parametrize(
    ("data", "expected"), [(None, "No such file"), (b"", "empty file"), (b"\xff", "an API key")]
)
def test_a_file_that_holds_none_is_told(data: bytes | None, expected: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "key").write_bytes(data)
    with pytest.raises(InputError, match=expected):
        read("--api-key-file", str(tmp_path / "key"))


def test_there_is_no_way_to_put_a_key_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["models", "--help"])
    assert sorted(set(re.findall(r"--api-[a-z-]+", capsys.readouterr().out))) == ["--api-key-file"]
