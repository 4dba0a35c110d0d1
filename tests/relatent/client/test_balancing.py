"""A name that stands for several servers: calls go to each of them in turn."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import grpc
import pytest

from relatent.client.channels import open_async_channel, open_channel

HOSTS = ("127.0.0.1", "127.0.0.2")
CALLS = 20
MIB = 2**20


class Names:
    """Answers every question for a name's IPv4 addresses with all of `HOSTS`, on a UDP port of loopback."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(_answer(question), asker)


def _answer(question: bytes) -> bytes:
    name_ends = question.index(b"\0", 12) + 1
    (kind,) = struct.unpack(">H", question[name_ends : name_ends + 2])
    hosts = HOSTS if kind == 1 else ()
    head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(hosts), 0, 0)
    records = (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(host) for host in hosts)
    return head + question[12 : name_ends + 4] + b"".join(records)


class Pair:
    """A server on each of `HOSTS`, on the same port, and a name for both."""

    def __init__(self, names: Names) -> None:
        self.calls: Counter[str] = Counter()
        self._servers: list[grpc.Server] = []
        port = 0
        for host in HOSTS:
            port = self._start(host, port)
        self.address = f"dns://127.0.0.1:{names.port}/servers.test:{port}"

    def _start(self, host: str, port: int) -> int:
        server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])

        def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls[host] += 1
            return b""

        handlers = {"Call": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
        bound: int = server.add_insecure_port(f"{host}:{port}")
        server.start()
        self._servers.append(server)
        return bound

    def stop(self) -> None:
        for server in self._servers:
            server.stop(None).wait()


@pytest.fixture
def pair() -> Iterator[Pair]:
    names = Names()
    servers = Pair(names)
    yield servers
    servers.stop()
    names.stop()


def test_calls_of_a_blocking_client_go_to_each_in_turn(pair: Pair) -> None:
    with open_channel(pair.address, MIB) as channel:
        for _ in range(CALLS):
            channel.unary_unary("/test/Call")(b"", timeout=20, wait_for_ready=True)
    # One may be there a moment before the other.
    assert min(pair.calls[host] for host in HOSTS) >= CALLS // 4


async def test_calls_of_an_asyncio_client_go_to_each_in_turn(pair: Pair) -> None:
    async with open_async_channel(pair.address, MIB) as channel:
        call = channel.unary_unary("/test/Call")
        await call(b"", timeout=20, wait_for_ready=True)
        await asyncio.gather(*(call(b"", timeout=20, wait_for_ready=True) for _ in range(CALLS)))
    assert min(pair.calls[host] for host in HOSTS) >= CALLS // 4
