"""A real service of the pack `tiny`, a process of its own, and what it answers to a call."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from relatent.cli.local_service import LocalService
from relatent.core.pack import Pack, read_packs
from relatent.v1 import editing_pb2
from scripts.fuzz.methods import METHODS, RpcMethod
from scripts.fuzz.requests import Probe
from tests.fixtures.restoring import add_restoration
from tests.fixtures.texts import add_text_graphs, add_texts
from tests.fixtures.tiny import write_tiny

CALL_SECONDS = 60.0
_CACHE_BYTES = 2**20
"""So few that the cache is soon as large as it gets."""
DESERVED = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""What a request can deserve. Anything else is the service's own fault, or its end."""
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class ProbeAnswer:
    """What became of a call.

    Attributes:
        code: it ended with.
        details: the status' message.
        refusals: of a session, what its changes were refused with.
    """

    code: grpc.StatusCode
    details: str = ""
    refusals: Counter[grpc.StatusCode] = field(default_factory=Counter)

    @property
    def deserved(self) -> bool:
        """Whether no part of it is the service's fault."""
        return {self.code, *self.refusals} <= DESERVED


class Target:
    """A running service.

    Args:
        service: it.
        log: what it prints.
        pack: what it serves.
    """

    def __init__(self, service: LocalService, log: Path, pack: Pack) -> None:
        self.address = service.address
        self.pack = pack
        self.pid = service.pid
        self._log = log

    def resident_bytes(self) -> int | None:
        """Memory that it has in use; None where the system does not tell, or there is no process any more."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)

    def complaints(self) -> list[str]:
        """The lines that it logged of faults of its own, warnings of Python's among them."""
        lines = (_parsed(line) for line in self._log.read_text(errors="replace").splitlines())
        return [
            f"{line.get('message')} {line.get('exception', '')}".strip()
            for line in lines
            if line.get("level") not in ("debug", "info", "warning") or line.get("logger") == "py.warnings"
        ]


def write_target(root: Path) -> tuple[Path, Path]:
    """Write the pack `tiny` with all that a pack can do; the folders of packs and of graphs."""
    packs, repository = write_tiny(root)
    add_restoration(packs, repository)
    add_texts(packs / "tiny")
    add_text_graphs(repository)
    return packs, repository


@contextmanager
def running_target() -> Iterator[Target]:
    """A service by the local engine, ready, and ended in any case; also if this process is killed."""
    with tempfile.TemporaryDirectory(prefix="relatent-fuzz-") as folder:
        packs, repository = write_target(Path(folder))
        flags = ["--packs", packs, "--repository", repository, "--engine", "local"]
        flags += ["--latent-cache-bytes", _CACHE_BYTES]
        log = Path(folder) / "log"
        with LocalService([str(flag) for flag in flags], log) as service:
            yield Target(service, log, read_packs(packs)["tiny"])


def _parsed(line: str) -> dict[str, Any]:
    """A line of the log; whatever is none of its lines comes from a library that failed."""
    try:
        parsed: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return {"message": line}
    return parsed


def send(channel: grpc.Channel, probe: Probe) -> ProbeAnswer:
    """Make a call, and read all of its answer.

    Blocking: gRPC's asynchronous client says INTERNAL itself where a stream ends as it writes to it.
    """
    method = METHODS[probe.method]
    refusals: Counter[grpc.StatusCode] = Counter()
    try:
        for data in _answers(channel, method, probe.messages):
            answer = method.response.FromString(data)
            if isinstance(answer, editing_pb2.EditStreamResponse) and answer.answer.HasField("refusal"):
                refusals[_CODES[answer.answer.refusal.code]] += 1
    except grpc.RpcError as error:
        return ProbeAnswer(error.code(), error.details() or "", refusals)
    return ProbeAnswer(grpc.StatusCode.OK, "", refusals)


def _answers(channel: grpc.Channel, method: RpcMethod, messages: Sequence[bytes]) -> Iterator[Any]:
    """The answers as they travel; of requests in a stream, each is sent, whatever came of those before."""
    if method.request_streaming:
        yield from channel.stream_stream(method.path)(iter(messages), timeout=CALL_SECONDS)
    elif method.response_streaming:
        yield from channel.unary_stream(method.path)(messages[0], timeout=CALL_SECONDS)
    else:
        yield channel.unary_unary(method.path)(messages[0], timeout=CALL_SECONDS)
