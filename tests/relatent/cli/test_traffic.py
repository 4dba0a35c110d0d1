"""One file is waited for, a folder of them is not, unless the command line says otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from relatent.v1 import types_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("files", "flags", "expected"),
    [
        (1, [], types_pb2.TRAFFIC_CLASS_UNSPECIFIED),
        (2, [], types_pb2.TRAFFIC_CLASS_BULK),
        (1, ["--traffic-class", "bulk"], types_pb2.TRAFFIC_CLASS_BULK),
        (2, ["--traffic-class", "interactive"], types_pb2.TRAFFIC_CLASS_INTERACTIVE),
    ],
)
@pytest.mark.parametrize(
    "words", [("invert",), ("edit", "--set", "smile=1"), ("read",)], ids=lambda words: words[0]
)
async def test_several_files_are_bulk(
    command: Command,
    image: Write,
    server: FakeServer,
    words: tuple[str, ...],
    files: int,
    flags: list[str],
    expected: int,
) -> None:
    paths = [str(image(f"{index}.png")) for index in range(files)]
    ran = await command(*words, *paths, *flags)
    assert ran.code == 0
    assert len(server.requests) >= files
    assert {request.traffic_class for request in server.requests} == {expected}
