"""`relatent playground`, as far as it goes without a page."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from relatent.cli.main import main


def test_without_gradio_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec

    def find(name: str, *more: Any) -> Any:
        return None if name == "gradio" else found(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert main(["playground"]) == 2
    assert "pip install 'relatent[playground]'" in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["unix:/tmp/page", "7860", "127.0.0.1:port"])
def test_a_page_listens_on_a_host_and_a_port(listen: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["playground", "--listen", listen])
    assert "argument --listen: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--address", "gpu1:8500"], "--address"),
        (["--api-key-file", "key"], "--api-key-file"),
        (["--tls-ca", "ca.pem", "--insecure"], "--tls-ca, --insecure"),
    ],
    ids=["address", "key", "several"],
)
def test_what_is_said_of_a_service_elsewhere_is_refused_where_one_is_started(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["playground", "--serve", *words]) == 2
    assert f"{named}: is for a service that is there" in capsys.readouterr().err
