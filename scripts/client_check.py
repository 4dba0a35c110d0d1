"""What a client must do, tried against the service at an address: run by `scripts.try_client`.

It imports nothing but the client and what the client needs, as it runs where nothing else is installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import relatent

E = TypeVar("E", bound=Exception)

SECONDS = 60
PACK = "demo"


def check_values(client: relatent.Client) -> None:
    """The catalogue, samples, and codes in files."""
    pack = client.catalog().packs[PACK]
    assert client.pack(PACK) == pack
    (sample,) = client.sample([7], pack=PACK)
    assert sample.image.array.shape == (pack.resolution, pack.resolution, 3)
    sample.latent.save("code.safetensors")
    again = relatent.LatentCode.load("code.safetensors")
    (drawn,) = client.synthesize([again])
    assert (drawn.image.array == sample.image.array).all()
    assert not pickle.loads(pickle.dumps(again)).values.flags.writeable


def check_inversion(client: relatent.Client) -> None:
    """An image is inverted; and from a checkpoint it comes to the same."""
    image = client.sample([7], pack=PACK)[0].image
    image.save("portrait.png")
    reports: list[relatent.Progress] = []
    # Every environment asks for the same, and only of work that is done there are reports.
    inversion = client.invert(
        "portrait.png", pack=PACK, steps=20, no_cache=True, progress=reports.append, preview_every=2
    )
    assert any(report.preview is not None for report in reports)
    assert len(inversion.losses) == inversion.steps == 20
    assert inversion.losses[-1] < inversion.losses[0]
    middle = next(report.checkpoint for report in reports if 0 < report.steps < 20)
    assert middle is not None
    resumed = client.invert("portrait.png", pack=PACK, steps=20, start=pickle.loads(pickle.dumps(middle)))
    assert all(
        abs(one - other) <= 1e-3 * other for one, other in zip(resumed.losses, inversion.losses, strict=True)
    )


def check_edit(client: relatent.Client) -> None:
    """A code and an image are edited."""
    latent = relatent.LatentCode.load("code.safetensors")
    strip = client.edit(latent, [relatent.Move("smile", [-1.0, 0.0, 1.0], keep=["age"])]).images
    assert [edited.strength for edited in strip] == [-1.0, 0.0, 1.0]
    edit = client.edit("portrait.png", [relatent.Move("age", 1.0)], invert={"pack": PACK, "steps": 2})
    assert edit.inversion is not None
    assert (edit.images[0].image.array != edit.inversion.reconstruction.array).any()


def check_session(client: relatent.Client) -> None:
    """A session, by either client."""
    latent = relatent.LatentCode.load("code.safetensors")
    moves = [relatent.Move("smile", 1.0)]
    with client.edit_session(latent) as session:
        number = session.change(moves)
        (answer,) = finished(session)
    assert answer.number == number

    async def held() -> list[int]:
        async with (
            relatent.AsyncClient(client._settings.addresses) as other,
            other.edit_session(latent) as session,
        ):
            session.change(moves)
            session.finish()
            return [answer.number async for answer in session]

    assert asyncio.run(held()) == [1]


def finished(session: relatent.EditSession) -> list[relatent.SessionAnswer]:
    """The answers of a session that takes no more changes."""
    session.finish()
    return list(session)


def check_errors(client: relatent.Client) -> None:
    """Errors have their class and their details, and survive a pickle."""
    error = raised(
        relatent.InvalidArgumentError, lambda: client.invert("portrait.png", pack=PACK, steps=10**6)
    )
    assert error.violations[0].field == "options.refinement.steps", error.violations
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
    raised(relatent.InputError, lambda: relatent.Client("http://127.0.0.1:1"))
    raised(relatent.UnavailableError, lambda: relatent.Client("127.0.0.1:1", timeout=0.5).catalog())


def raised(kind: type[E], call: Callable[[], object]) -> E:
    """The error of a class that a call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


def check_async(client: relatent.Client) -> None:
    """An asyncio client, in two loops."""
    other = relatent.AsyncClient(client._settings.addresses)

    async def invert_all() -> list[int]:
        inversions = (other.invert("portrait.png", pack=PACK, steps=4) for _ in range(4))
        return [inversion.steps for inversion in await asyncio.gather(*inversions)]

    assert asyncio.run(invert_all()) == [4] * 4
    assert asyncio.run(invert_all()) == [4] * 4
    asyncio.run(other.close())


def check_processes(client: relatent.Client) -> None:
    """A client goes along to processes, by fork and by spawn."""
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(resolution, [client] * 3, timeout=SECONDS)) == [64] * 3, method


def resolution(client: relatent.Client) -> int:
    """The work of another process."""
    return client.pack(PACK).resolution


def check_extras(client: relatent.Client) -> None:
    """What extras bring is not there, not needed, and named where it is asked for."""
    assert "opentelemetry" not in sys.modules
    assert importlib.util.find_spec("gradio") is None
    done = relatent_command("playground")
    assert done.returncode == 2, done.stderr
    assert "pip install 'relatent[playground]'" in done.stderr
    if importlib.util.find_spec("opentelemetry") is not None:
        check_traces(client)
        return
    os.environ["OTEL_TRACES_EXPORTER"] = "console"
    try:
        done = relatent_command("models", "--address", client._settings.addresses[0])
    finally:
        del os.environ["OTEL_TRACES_EXPORTER"]
    assert done.returncode == 0, done.stderr
    assert "pip install 'relatent[tracing]'" in done.stderr


def check_traces(client: relatent.Client) -> None:
    """A call is a span of an application that traces itself, and each of its attempts is one."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    client.pack(PACK)
    attempt, call = exporter.get_finished_spans()
    assert (attempt.name, call.name) == ("relatent.v1.CatalogService/GetPack", "relatent pack")
    assert attempt.parent is not None
    assert attempt.parent.span_id == call.context.span_id


def check_command_line(client: relatent.Client) -> None:
    """The installed command."""
    address = ["--address", client._settings.addresses[0]]
    done = relatent_command("invert", "portrait.png", "--steps", "2", "--json", *address)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["results"][0]["reconstruction"]).exists()
    done = relatent_command("edit", "code.safetensors", "--set", "smile=1", "--out", "edited", *address)
    assert done.returncode == 0, done.stderr
    done = relatent_command("models", "--address", "127.0.0.1:1", "--timeout", "0.5")
    assert done.returncode == 3, done.stderr
    done = relatent_command("serve")
    assert done.returncode == 2, done.stderr
    assert "pip install 'relatent[serve]'" in done.stderr
    assert ("Python 3.11 and 3.12" in done.stderr) == (sys.version_info[:2] > (3, 12)), done.stderr


def relatent_command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command that the wheel brings."""
    command = [str(Path(sys.executable).with_name("relatent")), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


CHECKS: tuple[Callable[[relatent.Client], None], ...] = (
    check_values,
    check_inversion,
    check_edit,
    check_session,
    check_errors,
    check_async,
    check_processes,
    check_command_line,
    check_extras,
)


def check_access(address: str, authority: Path, key: str) -> None:
    """TLS and a key, and files that are renewed while a client lives."""
    mine = Path("ca.pem")
    mine.write_bytes(authority.read_bytes())
    with relatent.Client(address, timeout=SECONDS, tls=relatent.Tls(roots=mine), api_key=key) as client:
        first = client.catalog()
        mine.write_bytes(authority.read_bytes() * 2)
        assert client.catalog() == first

    async def ask() -> relatent.Catalog:
        async with relatent.AsyncClient(
            address, timeout=SECONDS, tls=relatent.Tls(roots=mine), api_key=key
        ) as client:
            return await client.catalog()

    assert asyncio.run(ask()) == first
    raised(relatent.TlsError, lambda: relatent.Client(address, timeout=SECONDS).catalog())
    tls = relatent.Tls(roots=mine)
    raised(
        relatent.UnauthenticatedError, lambda: relatent.Client(address, timeout=SECONDS, tls=tls).catalog()
    )


def main(address: str, secured: str, authority: Path, key: str) -> None:
    """Try everything, in an empty folder.

    Args:
        address: of a service that lets in everybody.
        secured: of one that speaks TLS and asks for keys.
        authority: that vouches for it.
        key: that it lets in.
    """
    assert "site-packages" in relatent.__file__, relatent.__file__
    with tempfile.TemporaryDirectory() as folder, relatent.Client(address, timeout=SECONDS) as client:
        os.chdir(folder)
        for check in CHECKS:
            check(client)
            print(check.__name__, flush=True)
        check_access(secured, authority, key)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
