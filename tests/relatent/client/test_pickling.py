"""What comes back from a worker process is what was raised, or made, there."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

import relatent
from relatent.cli.local_service import StartError
from relatent.client import decoding, errors
from relatent.client.retrying import RetryPolicy
from tests.relatent.client import fake

SECONDS = 60
Copy = Callable[[Any], Any]


def pickled(protocol: int) -> Copy:
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


COPIES: dict[str, Copy] = {
    **{f"pickle-{protocol}": pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def every_class(base: type[relatent.RelatentError] = relatent.RelatentError) -> Iterator[Any]:
    yield base
    for kind in base.__subclasses__():
        yield from every_class(kind)


def call_error(kind: type[relatent.CallError]) -> relatent.CallError:
    error = kind(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "no place",
        reason="QUEUE_FULL",
        violations=[relatent.FieldViolation("options.steps", "expected at most 2000, got 5000")],
        retry_after=0.4,
        address="10.0.0.1:8500",
    )
    error.__cause__ = relatent.UnavailableError(grpc.StatusCode.UNAVAILABLE, "draining", address="b:1")
    return noted(error)


def noted(error: Any) -> Any:
    error.add_note("gave up after 3 attempts")
    error.checkpoint = relatent.Checkpoint(fake.checkpoint(5))
    return error


def told(error: Any) -> tuple[Any, ...]:
    """All that an error says, of its cause too."""
    cause = error.__cause__
    return type(error), str(error), error.args, vars(error), cause and told(cause)


@pytest.mark.parametrize("kind", list(every_class()))
def test_every_error_comes_back_whole(kind: type[relatent.RelatentError]) -> None:
    error = call_error(kind) if issubclass(kind, relatent.CallError) else noted(kind("what is wrong"))
    for way, copied in COPIES.items():
        again = copied(error)
        assert told(again) == told(error), way
        assert again.__notes__ == ["gave up after 3 attempts"]
        assert again.checkpoint.steps == 5


def test_the_tree_is_all_tried() -> None:
    named = {value for value in vars(errors).values() if isinstance(value, type)}
    ours = {kind for kind in named if issubclass(kind, relatent.RelatentError)}
    assert {*ours, StartError} <= set(every_class())


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_code_comes_back_as_itself(code: grpc.StatusCode) -> None:
    for way, copied in COPIES.items():
        assert copied(relatent.ServerError(code, "so it is")).code is code, way


VALUES = {
    "LatentCode": relatent.LatentCode(np.ones(fake.SHAPE, np.float32), fake.PACK, fake.REVISION),
    "Checkpoint": relatent.Checkpoint(fake.checkpoint(5)),
    "Progress": decoding.progress(
        fake.progress(5, preview=fake.picture(), checkpoint=fake.checkpoint(5)).progress
    ),
    "Inversion": decoding.inversion(fake.result(20, [0.5]).result, (0.5,), 1),
    "Catalog": decoding.catalog(fake.catalog()),
    "Move": relatent.Move("age", [1.0], keep=["smile"]),
    "Mix": relatent.Mix(
        relatent.LatentCode(np.ones(fake.SHAPE, np.float32), fake.PACK, fake.REVISION), (0, 1)
    ),
    "Plateau": relatent.Plateau(5, 0.1),
    "RetryPolicy": RetryPolicy(initial=1.0),
    "FieldViolation": relatent.FieldViolation("steps", "expected less"),
    "Fit": relatent.Fit.PAD,
}


def fields(value: Any) -> Any:
    """A value as something that compares: an array by its numbers."""
    if dataclasses.is_dataclass(value):
        return type(value), [fields(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_every_value_comes_back_the_same(value: Any) -> None:
    for way, copied in COPIES.items():
        assert fields(copied(value)) == fields(value), way


@pytest.mark.parametrize("way", list(COPIES))
def test_a_code_stays_read_only(way: str) -> None:
    code = COPIES[way](VALUES["LatentCode"])
    with pytest.raises(ValueError, match="read-only"):
        code.values[0, 0] = 7


def fail(number: int) -> int:
    """The work of a pool: one task of it fails."""
    if number == 1:
        raise call_error(relatent.OverloadedError)
    return number


def check_returned(error: relatent.OverloadedError) -> None:
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert error.violations[0].field == "options.steps"
    assert (error.retry_after, error.address) == (0.4, "10.0.0.1:8500")
    assert error.checkpoint is not None


def test_one_failure_in_an_executor_leaves_the_other_tasks_and_the_pool_whole() -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(fail, number) for number in range(4)]
        assert [future.result(SECONDS) for future in futures if future is not futures[1]] == [0, 2, 3]
        with pytest.raises(relatent.OverloadedError, match="no place") as caught:
            futures[1].result(SECONDS)
        check_returned(caught.value)
        assert pool.submit(fail, 5).result(SECONDS) == 5


def test_one_failure_in_a_pool_leaves_the_other_tasks_whole() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = [pool.apply_async(fail, (number,)) for number in range(4)]
        assert [results[number].get(SECONDS) for number in (0, 2, 3)] == [0, 2, 3]
        with pytest.raises(relatent.OverloadedError, match="no place") as caught:
            results[1].get(SECONDS)
        check_returned(caught.value)
