"""A few hundred of what `python -m scripts.fuzz` sends thousands of; and that it tells a fault from none."""

from __future__ import annotations

import os
import signal
from collections import Counter
from random import Random

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relatent.v1 import editing_pb2, inversion_pb2, types_pb2
from scripts.fuzz.campaign import MOST_GROWTH, Outcome, numbered_probe, run_campaign
from scripts.fuzz.methods import METHODS
from scripts.fuzz.mutations import mutate_bytes, mutate_fields
from scripts.fuzz.requests import Probe, make_probe, whole_requests
from scripts.fuzz.target import ProbeAnswer, running_target, send
from tests.fixtures.requests import encoded

OK, INVALID = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT
INTERNAL = grpc.StatusCode.INTERNAL
PROBE = Probe("Invert", (b"",))
THOUSAND = 100
"""Looks at the memory in a thousand probes."""


@pytest.fixture(scope="module")
def target():
    with running_target() as target:
        yield target


@pytest.fixture(scope="module")
def ask(target):
    """Sends a probe, and gives its answer."""
    with grpc.insecure_channel(target.address) as channel:
        yield lambda probe: send(channel, probe)


@pytest.fixture(scope="module")
def examples(target):
    return whole_requests(target.pack)


def test_there_is_something_whole_to_change_of_every_method(examples):
    """That it is answered, each campaign sees to first."""
    assert examples.keys() == METHODS.keys()
    assert all(examples.values())


# The same each time: what is new is for the long campaigns to find.
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rng=st.randoms(use_true_random=False))
def test_whatever_comes_is_answered_or_refused_and_is_never_a_fault(ask, examples, rng):
    probe = make_probe(examples, rng)
    answer = ask(probe)
    assert answer.deserved, (probe, answer)


def test_what_pillow_says_of_broken_metadata_is_not_for_callers_to_write_into_the_log(target, ask):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12\0\x03"  # nine entries, of which the first is half there
    picture = types_pb2.Image(data=encoded(np.zeros((8, 8, 3), np.uint8), "JPEG", exif=exif))
    request = editing_pb2.ReadRequest(image=picture)
    assert ask(Probe("Read", (request.SerializeToString(),))) == ProbeAnswer(OK)
    assert target.complaints() == []


def test_the_service_outlives_all_of_it_and_has_logged_no_fault(target, ask):
    assert ask(Probe("ListPacks", (b"",))) == ProbeAnswer(OK)
    assert target.complaints() == []


def test_a_probe_of_a_campaign_is_the_same_whatever_came_before_it(examples):
    probes = [numbered_probe(examples, 1, number) for number in range(300)]
    assert numbered_probe(examples, 1, 299) == probes[299]
    assert numbered_probe(examples, 2, 299) != probes[299]
    assert {probe.method for probe in probes} == METHODS.keys()


@pytest.mark.parametrize("code", [INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE])
def test_a_fault_of_the_services_own_is_told_and_its_request_kept(code):
    outcome = Outcome()
    outcome.count_in(1, PROBE, ProbeAnswer(INVALID))
    assert outcome.sound
    outcome.count_in(7, PROBE, ProbeAnswer(code, "how so"))
    assert not outcome.sound
    assert outcome.faults[7][0] == PROBE
    report = outcome.report()
    assert report["answers"] == {"Invert": {"INVALID_ARGUMENT": 1, code.name: 1}}
    assert report["faults"] == {7: f"Invert: {code.name} how so"}


def test_a_change_of_a_session_that_is_refused_with_a_fault_is_one(examples):
    outcome = Outcome()
    outcome.count_in(1, PROBE, ProbeAnswer(OK, refusals=Counter([INVALID])))
    assert outcome.sound
    outcome.count_in(2, PROBE, ProbeAnswer(OK, refusals=Counter([INTERNAL])))
    assert not outcome.sound


def test_a_warning_that_the_service_logs_is_a_fault():
    assert not Outcome(complaints=["overflow encountered"]).sound


def test_memory_is_flat_if_its_last_thousand_is_like_its_first_whatever_was_between():
    flat = Outcome(resident=[100] * THOUSAND + [300] * THOUSAND + [103] * THOUSAND)
    assert flat.growth == pytest.approx(0.03)
    assert flat.sound
    grown = Outcome(resident=[100] * 3 * THOUSAND + [106] * THOUSAND)
    assert grown.growth is not None
    assert grown.growth > MOST_GROWTH
    assert not grown.sound
    assert Outcome(resident=[100] * THOUSAND).growth is None


def test_a_campaign_of_few_probes_counts_them_all(target):
    outcome = run_campaign(target, seed=3, count=40)
    assert outcome.count == 40
    assert len(outcome.resident) == 4
    assert outcome.sound


def test_a_campaign_ends_where_the_service_does():
    with running_target() as doomed:
        outcome = run_campaign(
            doomed, seed=1, count=10_000, tell=lambda _: os.kill(doomed.pid, signal.SIGKILL)
        )
    assert outcome.count < 100
    assert {answer.code for _, answer in outcome.faults.values()} == {grpc.StatusCode.UNAVAILABLE}
    assert not outcome.sound


@pytest.mark.parametrize("seed", range(20))
def test_what_is_changed_is_another_message_of_its_kind(seed):
    request = inversion_pb2.InvertRequest()
    request.options.refinement.weights["pixel"] = 1
    mutate_fields(request, Random(seed))
    assert inversion_pb2.InvertRequest.FromString(request.SerializeToString()) is not None
    assert mutate_bytes(b"", Random(seed)) is not None
