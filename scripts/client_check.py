"""What a client must do, tried against the service at an address: run by `scripts.try_client`.

It imports nothing but the client and what the client needs, as it runs where nothing else is installed.
"""

from __future__ import annotations

import asyncio
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
    inversion = client.invert("portrait.png", pack=PACK, steps=20, progress=reports.append)
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
    check_errors,
    check_async,
    check_processes,
    check_command_line,
)


def main(address: str) -> None:
    """Try everything, in an empty folder."""
    assert "site-packages" in relatent.__file__, relatent.__file__
    with tempfile.TemporaryDirectory() as folder, relatent.Client(address, timeout=SECONDS) as client:
        os.chdir(folder)
        for check in CHECKS:
            check(client)
            print(check.__name__, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
