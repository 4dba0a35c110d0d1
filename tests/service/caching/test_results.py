"""Results as bytes come back as they were, or not at all."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from relatent.core.stopping import StopReason
from relatent_service.caching.results import NotAResult, from_bytes, settled, size_of, to_bytes
from tests.service.caching.plans import DOMAIN, make_plan, make_result


def with_checksum(data):
    return hashlib.sha256(data).digest() + data


@pytest.mark.parametrize("domain", [None, DOMAIN])
@pytest.mark.parametrize("beyond", [True, False])
def test_what_comes_back_is_what_was_kept_to_the_bit(pack, domain, beyond):
    plan = make_plan(replace(pack, domain=domain))
    result = make_result(plan)
    result = result if beyond else replace(result, beyond=None)
    found = from_bytes(plan, to_bytes(result))
    assert found.quality == result.quality
    assert found.plausibility == result.plausibility
    assert (found.steps, found.stop_reason, found.method, found.pack) == (
        7,
        StopReason.PLATEAU,
        plan.method,
        plan.pack,
    )
    assert found.code.space is result.code.space
    for name, array in result.code.parts.items():
        assert found.code.parts[name].tobytes() == array.tobytes()
    assert found.losses.tobytes() == result.losses.tobytes()
    assert found.reconstruction.tobytes() == result.reconstruction.tobytes()
    assert (found.beyond is None) is not beyond


def test_whatever_byte_is_wrong_it_is_no_result(pack):
    plan = make_plan(pack)
    data = to_bytes(make_result(plan))
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 16
        with pytest.raises(NotAResult):
            from_bytes(plan, bytes(broken))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        with_checksum(b""),
        with_checksum(b"\xff" * 64),
        with_checksum(save({"image": np.zeros(3, np.uint8)})),
        with_checksum(save({"image": np.zeros(3, np.uint8)}, {"values": "[]"})),
        with_checksum(save({"code.w": np.zeros((1, 2, 4), np.float32)}, {"values": '{"steps": "many"}'})),
    ],
)
def test_what_has_a_checksum_but_is_something_else_is_no_result(pack, data):
    with pytest.raises(NotAResult):
        from_bytes(make_plan(pack), data)


def test_a_result_of_another_shape_is_none_of_this_plan(pack):
    plan = make_plan(pack)
    wide = make_result(plan, reconstruction=np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(NotAResult, match=r"image: expected uint8 \(8, 8, 3\), got uint8 \(16, 16, 3\)"):
        from_bytes(plan, to_bytes(wide))
    short = make_result(plan, steps=9)
    with pytest.raises(NotAResult, match="losses: expected float32"):
        from_bytes(plan, to_bytes(short))


def test_what_is_kept_is_its_own_and_cannot_be_written_to(pack):
    result = make_result(make_plan(pack))
    kept = settled(result)
    result.code.w[:] = 0
    assert kept.code.w.any()
    assert kept.code.w.base is None, "the refinement's whole state is not kept alive with it"
    assert kept.beyond is not None
    arrays: list[Any] = [kept.code.w, kept.reconstruction, kept.losses, kept.beyond]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_its_size_counts_every_array(pack):
    result = make_result(make_plan(pack))
    arrays: list[Any] = [result.code.w, result.reconstruction, result.losses, result.beyond]
    assert size_of(result) == 4096 + sum(array.nbytes for array in arrays)
