"""Services, and Tritons, are replaced one after the other while callers go on as if nothing were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

import relatent
from bench.soak_gate import Gate
from bench.soak_pool import SoakedTriton
from tests.fixtures import tiny
from tests.system.processes import ServiceProcess

STEPS = 200
CALLERS = 6
LOCAL = ("--engine", "local", "--latent-cache-bytes", "0")


async def invert_until(over: asyncio.Event, addresses: list[str], seed: int) -> list[relatent.Inversion]:
    """One call after the other, by a client of its own."""
    found = []
    async with relatent.AsyncClient(addresses, timeout=60) as client:
        while not over.is_set():
            found.append(await client.invert(tiny.random_image(seed), steps=STEPS))
    return found


async def busy(service: ServiceProcess) -> None:
    """Wait until it has a call under way."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(service.metric, "relatent_inflight"):
            await asyncio.sleep(0.005)


async def test_two_services_replaced_one_after_the_other_under_load_show_no_client_an_error(
    start_service: Callable[..., list[ServiceProcess]],
) -> None:
    services = start_service(2, *LOCAL)
    addresses, over = [service.address for service in services], asyncio.Event()
    async with asyncio.TaskGroup() as group:
        # An error of a client would end the group, and the test.
        callers = [
            group.create_task(invert_until(over, addresses[:: (-1) ** seed], seed)) for seed in range(CALLERS)
        ]
        for at, service in enumerate(services):
            await busy(service)
            service.terminate()
            assert await asyncio.to_thread(service.wait, 30) == 0
            ends = {(line["code"], line.get("reason", "")) for line in service.log_lines("call")}
            assert ends <= {("OK", ""), ("UNAVAILABLE", "DRAINING")}, "what it had under way, it finished"
            (services[at],) = await asyncio.to_thread(start_service, 1, *LOCAL, "--listen", service.address)
        over.set()
    check_alike([caller.result() for caller in callers])


async def test_two_tritons_replaced_one_after_the_other_under_load_fail_no_call_of_two_services(
    start_service: Callable[..., list[ServiceProcess]], tiny_root: Path
) -> None:
    async with AsyncExitStack() as stack:
        tritons = []
        for _ in range(2):
            gate = await stack.enter_async_context(Gate())
            tritons.append(SoakedTriton(gate, tiny_root / "model_repository"))
            stack.push_async_callback(tritons[-1].stop)
        await asyncio.gather(*(triton.start() for triton in tritons))
        pool = ("--engine", "triton", "--triton", ",".join(triton.gate.address for triton in tritons))
        services = await asyncio.to_thread(start_service, 2, *pool, "--latent-cache-bytes", "0")
        addresses, over = [service.address for service in services], asyncio.Event()
        async with asyncio.TaskGroup() as group:
            callers = [
                group.create_task(invert_until(over, addresses[:: (-1) ** seed], seed))
                for seed in range(CALLERS)
            ]
            for triton in tritons:
                await asyncio.gather(*(busy(service) for service in services))
                await triton.replace()
            over.set()
        check_alike([caller.result() for caller in callers])
        for service in services:
            assert {line["code"] for line in service.log_lines("call")} == {"OK"}


def check_alike(found: Sequence[Sequence[relatent.Inversion]]) -> None:
    """Each caller has had the same answers throughout."""
    for seed, inversions in enumerate(found):
        assert {one.steps for one in inversions} == {STEPS}
        for one in inversions:
            np.testing.assert_allclose(
                one.losses, inversions[0].losses, rtol=0.02, atol=1e-6, err_msg=str(seed)
            )
