"""What fails on the client's own side amid a call: in its files, or in whoever is told of progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relatent
from relatent.client.tls import find_out
from relatent.core.addresses import parse_address
from tests.fixtures.certificates import Authority
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 9, np.uint8)
GOES_ON = "5 steps are done: start=error.checkpoint goes on from there"


async def reports(request: Any, context: Any) -> Any:
    """One checkpoint, and then another report."""
    yield fake.progress(5, checkpoint=fake.checkpoint(5))
    yield fake.progress(6)


def raising(error: Exception) -> Any:
    """Whoever is told of progress, and fails by an error at the second report."""

    def tell(report: relatent.Progress) -> None:
        if report.steps > 5:
            raise error

    return tell


async def test_an_error_of_ours_in_a_callback_carries_the_checkpoint_once(
    call: Call, server: FakeServer
) -> None:
    server.scripts = [reports]
    with pytest.raises(relatent.InputError, match="full") as caught:
        await call(server.address, "invert", PIXELS, progress=raising(relatent.InputError("full")))
    assert caught.value.checkpoint == relatent.Checkpoint(fake.checkpoint(5))
    assert caught.value.__notes__ == [GOES_ON]


async def test_a_call_that_a_callback_makes_in_vain_is_not_taken_for_a_server_lost(
    call: Call, server: FakeServer
) -> None:
    server.scripts = [reports]
    lost = relatent.UnavailableError(None, "another service")
    with pytest.raises(relatent.UnavailableError, match="another service"):
        await call(server.address, "invert", PIXELS, progress=raising(lost))
    assert len(server.requests) == 1


def test_a_renewal_that_is_half_done_leaves_open_what_is_wrong_with_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    issued, other = authority.issue("client"), authority.issue("other")
    issued.key.write_bytes(other.key.read_bytes())
    tls = relatent.Tls(authority.path, issued.certificate, issued.key)
    assert find_out(parse_address("127.0.0.1:1"), tls, 1.0) == ""
