"""Both clients and the command line against the real service, a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent.cli import serve
from relatent.cli.local_service import LocalService, StartError
from relatent.cli.main import main
from relatent_service import probe
from tests.fixtures import tiny


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    packs, repository = tiny.write_tiny(tmp_path_factory.mktemp("tiny"))
    return ["--engine", "local", "--packs", str(packs), "--repository", str(repository)]


@pytest.fixture(scope="module")
def service(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with LocalService(flags, tmp_path_factory.mktemp("log") / "service.log") as running:
        yield running


@pytest.fixture
def client(service: LocalService) -> Iterator[relatent.Client]:
    with relatent.Client(service.address, timeout=60.0) as connected:
        yield connected


def test_an_inversion_improves_on_its_start(client: relatent.Client) -> None:
    image = tiny.random_image(1)
    start, end = client.invert(image, steps=0), client.invert(image, steps=40)
    assert (start.steps, end.steps) == (0, 40)
    assert end.quality.mse < start.quality.mse / 2
    assert len(end.losses) == 40
    assert end.losses[-1] < end.losses[0]
    assert end.timings.total > 0
    assert np.array_equal(end.reconstruction.array, tiny.generate(end.latent.values[None])[0])


def test_a_method_is_chosen_by_name_and_told_with_what_it_found(client: relatent.Client) -> None:
    (pack,) = client.catalog().packs.values()
    assert list(pack.methods) == ["hybrid", "momentum"]
    momentum = pack.methods["momentum"]
    assert momentum.starts == (relatent.StartRule.MEAN, relatent.StartRule.LATENT)
    assert (momentum.space, momentum.inputs) == (relatent.Space.W_PLUS, ("gain",))
    assert [term.name for term in momentum.losses] == ["pixel"]
    reports: list[relatent.Progress] = []
    inversion = client.invert(tiny.random_image(1), method="momentum", steps=9, progress=reports.append)
    assert (inversion.method, inversion.steps) == ("momentum", 9)
    checkpoint = reports[1].checkpoint
    assert checkpoint is not None
    assert checkpoint.method == "momentum"
    resumed = client.invert(tiny.random_image(1), start=checkpoint, steps=9)
    assert resumed.method == "momentum"
    assert resumed.losses == inversion.losses
    assert client.invert(tiny.random_image(1), steps=4).method == "hybrid"
    with pytest.raises(relatent.NotFoundError, match="hybrid, momentum"):
        client.invert(tiny.random_image(1), method="lbfgs")


def test_the_command_line_takes_a_method(
    service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELATENT_ADDRESS", service.address)
    Image.fromarray(tiny.random_image(1)).save("a.png")
    assert main(["invert", "a.png", "--method", "momentum", "--steps", "6", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["method"], result["steps"]) == ("momentum", 6)
    assert main(["models"]) == 0
    assert "hybrid, momentum" in capsys.readouterr().out


def test_every_report_holds_where_to_go_on_from(client: relatent.Client) -> None:
    reports: list[relatent.Progress] = []
    client.invert(tiny.random_image(1), steps=8, progress=reports.append)
    assert [report.steps for report in reports] == [0, 4, 8]
    assert [report.checkpoint.steps for report in reports if report.checkpoint] == [0, 4, 8]
    assert np.isnan([reports[0].loss, reports[0].best_loss]).all()


def test_a_saved_code_is_edited_in_a_strip(client: relatent.Client, tmp_path: Path) -> None:
    client.invert(tiny.random_image(2), steps=4).latent.save(tmp_path / "a.safetensors")
    latent = relatent.LatentCode.load(tmp_path / "a.safetensors")
    edit = client.edit(latent, [relatent.Move("redness", [0.0, 1.0], keep=["brightness"])])
    still, moved = edit.images
    assert np.allclose(still.latent.values, latent.values)
    # Redness made orthogonal to brightness is the second axis alone, of which it has 0.8.
    assert np.allclose(moved.latent.values - latent.values, [[0, 1 / 0.8, 0, 0]] * 2, atol=1e-5)


def test_a_code_of_other_weights_is_refused_by_name(client: relatent.Client) -> None:
    foreign = relatent.LatentCode(np.zeros((2, 4), np.float32), "tiny", "2" * 64)
    with pytest.raises(relatent.CallError, match="revision") as caught:
        client.synthesize([foreign])
    assert isinstance(caught.value, relatent.InvalidArgumentError | relatent.PreconditionError)


def test_what_the_service_refuses_names_the_field(client: relatent.Client) -> None:
    with pytest.raises(relatent.InvalidArgumentError) as caught:
        client.invert(b"\0 no image")
    assert caught.value.violations[0].field.startswith("image")
    with pytest.raises(relatent.CallError, match="steps"):
        client.invert(tiny.random_image(1), steps=10**6)


def test_samples_are_the_seeds_own(client: relatent.Client) -> None:
    both, [alone] = client.sample([4, 9]), client.sample([9])
    assert np.array_equal(both[1].latent.values, alone.latent.values)
    assert not np.array_equal(both[0].latent.values, alone.latent.values)


def test_the_catalog_and_the_pack_agree(client: relatent.Client) -> None:
    catalog = client.catalog()
    assert client.pack("tiny") == catalog.packs["tiny"]
    assert [direction.name for direction in catalog.packs["tiny"].directions]


async def test_many_async_inversions_go_on_together(service: LocalService) -> None:
    async with relatent.AsyncClient(service.address) as client:
        images = [tiny.random_image(seed) for seed in range(12)]
        inversions = await asyncio.gather(*(client.invert(image, steps=8) for image in images))
    for image, inversion in zip(images, inversions, strict=True):
        assert np.abs(inversion.reconstruction.array.astype(int) - image).mean() < 40
        assert inversion.steps == 8


def test_a_killed_service_costs_nothing_done(flags: list[str], tmp_path: Path, service: LocalService) -> None:
    reports: list[relatent.Progress] = []
    image = tiny.random_image(3)
    with LocalService(flags, tmp_path / "doomed.log") as doomed:

        def kill_in_the_middle(progress: relatent.Progress) -> None:
            reports.append(progress)
            if len(reports) == 5:
                os.kill(doomed.pid, signal.SIGKILL)

        with relatent.Client([doomed.address, service.address], timeout=60.0) as client:
            broken = client.invert(image, steps=2000, progress=kill_in_the_middle)
            whole = client.invert(image, steps=2000)
    assert broken.resumed == 1
    assert broken.steps == whole.steps == 2000
    assert np.allclose(broken.losses, whole.losses, rtol=1e-4, atol=1e-7)
    assert np.allclose(broken.latent.values, whole.latent.values, atol=1e-4)
    steps = [report.steps for report in reports]
    assert steps == sorted(steps)


def test_the_command_line_goes_all_the_way(
    service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELATENT_ADDRESS", service.address)
    Path("in").mkdir()
    for seed in range(4):
        Image.fromarray(tiny.random_image(seed)).save(f"in/{seed}.png")
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert main(["invert", "in", "-o", "codes", "--steps", "8", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (len(document["results"]), len(document["failed"])) == (4, 1)
    assert main(["edit", "codes/0.safetensors", "--set", "brightness=-1:1:3", "-o", "edits"]) == 0
    assert Path("edits/0.strip.png").is_file()
    assert main(["morph", "codes/0.safetensors", "in/1.png", "--steps", "4", "-o", "m.gif"]) == 0
    assert main(["sample", "--seeds", "0-2", "-o", "samples"]) == 0
    assert len(list(Path("samples").glob("*.png"))) == 3
    assert main(["directions"]) == 0
    assert "brightness" in capsys.readouterr().out


def test_serve_becomes_the_service_and_drains_on_sigterm(flags: list[str], tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    words = [sys.executable, "-m", "relatent", "serve", *flags, "--ready-file", str(ready)]
    words += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(ready.read_text())["grpc"]
        with relatent.Client(address) as client:
            assert "tiny" in client.catalog().packs
        process.terminate()
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    flags = ["--engine", "local", "--packs", str(tmp_path), "--repository", str(tmp_path)]
    with pytest.raises(StartError, match=r"ended with code .*pack\.toml"):
        LocalService(flags, tmp_path / "log").__enter__()


def test_a_local_service_ends_with_its_block(flags: list[str], tmp_path: Path) -> None:
    with LocalService(flags, tmp_path / "log") as running:
        pid = running.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_service_of_our_own_is_never_behind_a_proxy(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with LocalService(flags, tmp_path / "log") as running:
        assert main(["models", "--address", running.address]) == 0
        monkeypatch.setenv("RELATENT_LISTEN", running.address)
        assert probe.main() == 0
    assert "tiny" in capsys.readouterr().out


async def test_a_service_on_a_socket_is_reached_by_its_path_and_takes_it_along(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "of a service.sock"  # a space would end it in a URI
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    flags = [*flags, "--listen", f"unix:{path.name}"]
    with LocalService(flags, tmp_path / "log") as running:
        assert running.address == f"unix:{path}"
        with relatent.Client(f"unix:{path.name}") as client:
            assert client.invert(tiny.random_image(1), steps=4).steps == 4
        async with relatent.AsyncClient(f"unix:gone.sock,unix:{path}") as other:
            assert "tiny" in (await other.catalog(timeout=20.0)).packs
        assert main(["models", "--address", f"unix:gone.sock,unix://{path}"]) == 0
        monkeypatch.setenv("RELATENT_LISTEN", running.address)
        assert probe.main() == 0
        with pytest.raises(StartError, match=r"--listen unix:.*another server listens there"):
            LocalService(flags, tmp_path / "second").__enter__()
        assert path.is_socket(), "the second took the first one's socket away"
    assert not path.exists()
    assert "tiny" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="whether a socket's rights count differs elsewhere")
def test_a_sockets_rights_are_those_of_the_umask(flags: list[str], tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with LocalService([*flags, "--listen", f"unix:{tmp_path}/a.sock"], tmp_path / "log"):
            assert (tmp_path / "a.sock").stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(before)


def test_a_python_that_the_service_does_not_run_on_is_told_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "sys", SimpleNamespace(version_info=(3, 13, 0), executable=sys.executable))
    assert main(["serve"]) == 2
    assert capsys.readouterr().err == (
        "relatent: the service runs on Python 3.11 and 3.12, and this is Python 3.13: make an environment "
        "with one of those and, in it, pip install 'relatent[serve]'\n"
    )
