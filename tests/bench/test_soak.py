"""The soak counts what is lost, causes what it says, and tells what it came to."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np
import pytest

from bench import soak
from bench.measurement import BenchSettings
from bench.soak_faults import HALVES, Fault, plan
from bench.soak_gate import Gate
from bench.soak_held import Held, Looks, watched
from bench.soak_load import Errand, SoakAnswer, SoakCall, SoakOutcomes, call_until
from bench.soak_verdict import WITHIN, complaints
from relatent import AsyncClient, UnavailableError

NOBODY = cast(AsyncClient, None)
"""For errands that ask nobody."""


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """A server that sends back what it gets; its address."""

    answering: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.create_task(answer(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"{host}:{port}"
    await asyncio.wait_for(asyncio.gather(*answering), 10)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connecting(gate: Gate) -> AsyncIterator[Callable[[], Awaitable[Ends]]]:
    """Connects to a gate, and lets go of everything in the end."""
    made: list[Ends] = []

    async def connect() -> Ends:
        made.append(await asyncio.open_connection(*gate.address.rsplit(":", 1)))
        return made[-1]

    yield connect
    for _, writer in made:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_gate_passes_on_both_ways_and_closes_at_once_while_nobody_is_behind_it() -> None:
    async with echo() as address, Gate() as gate, connecting(gate) as connect:
        reader, writer = await connect()
        assert await reader.read() == b""
        gate.lead_to(address)
        reader, writer = await connect()
        writer.write(b"word")
        assert await reader.readexactly(4) == b"word"


async def test_a_gate_has_answers_come_late_and_cuts_what_is_connected() -> None:
    async with echo() as address, Gate() as gate, connecting(gate) as connect:
        gate.lead_to(address)
        reader, writer = await connect()
        gate.answer_seconds = 0.2
        began = time.monotonic()
        writer.write(b"word")
        assert await reader.readexactly(4) == b"word"
        assert time.monotonic() - began >= 0.2
        gate.cut()
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 5) == b""


async def test_a_silent_gate_lets_go_of_a_connection_once_its_side_has_given_it_up() -> None:
    async with echo() as address, Gate() as gate, connecting(gate) as connect:
        gate.lead_to(address)
        reader, writer = await connect()
        writer.write(b"word")
        await reader.readexactly(4)
        before = Held.of(os.getpid()).descriptors
        gate.fall_silent()
        writer.close()
        async with asyncio.timeout(5):
            while Held.of(os.getpid()).descriptors >= before:
                await asyncio.sleep(0.01)


async def test_a_silent_gate_passes_nothing_and_closes_nothing_and_what_was_lost_stays_lost() -> None:
    async with echo() as address, Gate() as gate, connecting(gate) as connect:
        gate.lead_to(address)
        reader, writer = await connect()
        writer.write(b"word")
        await reader.readexactly(4)
        gate.fall_silent()
        held, knocking = await connect()
        for one in (writer, knocking):
            one.write(b"more")
        for each in (reader, held):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(each.read(1), 0.1)
        gate.speak_again()
        again, anew = await connect()
        anew.write(b"again")
        assert await again.readexactly(5) == b"again"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)


def test_faults_come_equally_often_in_an_order_that_the_seed_alone_decides() -> None:
    _, sparing = HALVES["embedded"]
    order = plan(sparing, 10, 3)
    assert order == plan(sparing, 10, 3) != plan(sparing, 10, 4)
    assert set(Counter(order).values()) <= {2, 3}
    twenty = soak.plan_halves(BenchSettings(minutes=20))
    assert [len(half) for half in twenty] == [9, 9]
    assert not {Fault.SERVICE_KILLED, Fault.ROLLING_REPLACEMENT} & set(twenty[1])
    for engine, halves in HALVES.items():
        short = soak.plan_halves(BenchSettings(minutes=1, engine=engine))
        assert [set(half) for half in short] == [set(half) for half in halves], "each kind at least once"
    assert (
        {fault for halves in HALVES.values() for half in halves for fault in half}
        == set(Fault)
        == set(WITHIN)
    )


async def test_answers_that_differ_and_calls_that_fail_are_lost_and_the_rest_is_timed() -> None:
    right = SoakAnswer(np.linspace(1, 0.1, 5), np.full((1, 4, 4, 3), 100, np.uint8))
    nearly = SoakAnswer(right.losses * 1.001, right.images)
    given: list[SoakAnswer | Exception] = [
        right,
        nearly,
        SoakAnswer(right.losses * 1.1, right.images),
        SoakAnswer(right.losses[:3], right.images),
        SoakAnswer(right.losses, right.images + np.uint8(3)),
        UnavailableError(grpc.StatusCode.UNAVAILABLE, "nobody there"),
    ]
    over, outcomes = asyncio.Event(), SoakOutcomes()

    async def do(client: AsyncClient) -> SoakAnswer:
        answer = given.pop(0)
        if not given:
            over.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    going = asyncio.Event()
    going.set()
    await call_until(over, going, NOBODY, [(Errand("errand", do), right)], outcomes)
    assert len(outcomes.answered) == 2
    assert len(outcomes.wrong) == 3
    assert "losses by 10.0% at most" in outcomes.wrong[0]
    assert "shapes" in outcomes.wrong[1]
    assert "pixels by 3.00 on average" in outcomes.wrong[2]
    assert len(outcomes.failed) == 1
    assert "nobody there" in outcomes.failed[0]
    assert outcomes.lost == 4


def test_the_slowest_call_is_one_that_met_the_fault_and_counts_from_it() -> None:
    moments = [(0, 9), (5, 30), (12, 20), (21, 99)]
    calls = [SoakCall("errand", float(began), float(ended)) for began, ended in moments]
    assert SoakOutcomes(answered=calls).slowest(10, 20) == 20


def report(held: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a soak would tell of a Triton that was killed."""
    figures = {"times": 1, "seconds_until_whole_most": 30.0, "slowest_call_seconds": 30.0}
    return {"lost": 0, "faults": {"triton_killed": figures}, "held": held, **changed}


def test_what_is_not_as_promised_is_told_and_nothing_else() -> None:
    whole = {"resident_growth": 0.019, "descriptors": [30, 32]}
    assert complaints(report({"service_0": whole, "clients": whole | {"resident_growth": 1.0}})) == []
    late = {"times": 1, "seconds_until_whole_most": 300.0, "slowest_call_seconds": 400.0}
    told = complaints(
        report({"service_0": whole | {"resident_growth": 0.02}}, lost=2, faults={"triton_killed": late})
    )
    within = WITHIN[Fault.TRITON_KILLED]
    assert told == [
        "2 calls were lost",
        f"triton_killed: all was whole after 300 s, expected {within.whole:.0f} s at most",
        f"triton_killed: the slowest call was answered after 400 s, expected {within.call:.0f} s at most",
        "service_0: resident memory grew by 2.0%",
    ]


async def test_connections_that_others_have_made_to_a_process_are_not_its_own() -> None:
    async with echo() as address:
        before = Held.of(os.getpid()).descriptors
        _, writer = await asyncio.open_connection(*address.rsplit(":", 1))
        await asyncio.sleep(0.05)
        assert Held.of(os.getpid()).descriptors == before + 1, (
            "this end, and not the other, which was accepted"
        )
        writer.close()
        await writer.wait_closed()


async def test_a_caller_that_is_to_pause_begins_no_other_errand() -> None:
    over, going, begun = asyncio.Event(), asyncio.Event(), 0
    answer = SoakAnswer(np.empty(0), np.zeros((1, 2, 2, 3)))

    async def do(_: AsyncClient) -> SoakAnswer:
        nonlocal begun
        begun += 1
        going.clear()
        return answer

    turns = [(Errand("errand", do), answer)]
    calling = asyncio.create_task(call_until(over, going, NOBODY, turns, SoakOutcomes()))
    for expected in (0, 1, 2):
        await asyncio.sleep(0.02)
        assert begun == expected
        going.set()
    await asyncio.sleep(0.02)
    over.set()
    going.set()
    await asyncio.wait_for(calling, 1)


async def test_what_a_process_holds_too_much_at_the_end_is_told() -> None:
    async with watched({"this": os.getpid()}) as before:
        pass
    async with watched({"this": os.getpid()}) as after:
        gathered = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
        await asyncio.sleep(1.2)
    for one in gathered:
        os.close(one)
    told = Looks(before["this"], after["this"][1:]).as_json()
    assert told["looks"] == 2
    assert told["descriptors"][1] >= told["descriptors"][0] + 20
    assert complaints(report({"service_0": told | {"resident_growth": 0.0}})) == [
        "service_0: {} descriptors became {}".format(*told["descriptors"])
    ]
    assert abs(told["resident_growth"]) < 0.5


def test_nothing_is_lost_with_a_service_that_is_killed_and_the_report_says_what_it_came_to(
    settings: BenchSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(soak, "plan_halves", lambda settings: ([Fault.SERVICE_KILLED], []))
    report = soak.run(replace(settings, minutes=0.02))
    assert report["lost"] == 0, report
    assert report["failed"] == []
    assert set(report["answered"]) == {"inversion", "edit", "session"}
    fault = report["faults"]["service_killed"]
    assert fault["times"] == 1
    assert 0 < fault["seconds_until_whole"] < 60
    assert fault["slowest_call_seconds"] > 0
    assert set(report["calm_seconds"]) <= set(report["answered"])
    started = sorted(str(log.relative_to(tmp_path / "logs")) for log in (tmp_path / "logs").rglob("*.log"))
    first = ["service_0/1.log", "service_1/1.log"]
    assert started in [sorted([*first, f"service_{killed}/2.log"]) for killed in (0, 1)]
    assert set(report["held"]) == {"service_0", "service_1", "clients"}
