"""A Triton that belongs to no service, as in a pool: `python -m tests.system.lone_triton HOST REPOSITORY`.

It prints host:port, once it serves, and ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.soak_gate import Gate
from relatent_service.engine.embedded.child import EmbeddedTriton


async def serve(host: str, repository: Path) -> None:
    """Serve until the input ends."""
    triton = EmbeddedTriton(repository)
    await triton.start()
    try:
        async with Gate(host) as gate:
            gate.lead_to(triton.address)
            print(gate.address, flush=True)
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await triton.stop()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
