"""What an import loads, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import relatent


@pytest.mark.parametrize(
    "module",
    [
        "relatent.v1.inversion_pb2_grpc",
        "relatent.core.pack",
        "relatent.core.filetypes",
        "relatent.core.damage",
        "relatent.core.files",
    ],
)
def test_what_the_service_shares_loads_no_client_code(module: str) -> None:
    program = f"import {module}, sys; print(*(m for m in sys.modules if m.startswith('relatent')))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    foreign = [
        name
        for name in done.stdout.split()
        if name != "relatent" and not name.startswith(("relatent.v1", "relatent.core"))
    ]
    assert foreign == []


def test_every_public_name_is_there() -> None:
    assert relatent.Client.__module__ == "relatent.client.blocking"
    for name in relatent.__all__:
        assert getattr(relatent, name) is not None
    assert set(relatent.__all__) <= set(dir(relatent))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        relatent.Cleint  # noqa: B018


def test_one_message_size_serves_both_ends() -> None:
    from relatent.client.settings import DEFAULT_MAX_MESSAGE_BYTES
    from relatent_service.settings import read_settings

    assert read_settings([], {}).max_message_bytes == DEFAULT_MAX_MESSAGE_BYTES
