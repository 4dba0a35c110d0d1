"""docs/bring-your-own.md, run as it is written: every family from its files to a served, edited image.

One Triton serves all the packs, side by side; what it answers is held against PyTorch.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import relatent
from relatent.core.pack import Pack, read_pack
from relatent_export.cli import main
from relatent_export.nets.networks import Networks, encode
from relatent_export.nets.pixels import to_float
from relatent_export.packs.weights import load_networks
from relatent_export.triton.graphs import Synthesize
from tests.docs.blocks import BRING_YOUR_OWN, DIRECTIONS, blocks, run
from tests.fixtures.checkpoints.families import FAMILIES, write_directions
from tests.system.processes import ServiceProcess

BLOCKS = blocks(BRING_YOUR_OWN, "sh")
MADE = [code for code in BLOCKS if "relatent-export import" in code]
EXPORTED = [code for code in BLOCKS if "--target" in code]  # of a pack that is made before
AGAIN = "relatent-export repository packs/rosinality --into again"
SERVED = [code for code in BLOCKS if "relatent invert" in code]
NAMES = [name for code in MADE for name in re.findall(r"--name (\w+)", code)]
# The page calls the one that it shows at length after what it makes.
PACKS = {"e4e": "faces", **{family: family for family in FAMILIES if family != "e4e"}}
STRENGTH = 1.5
PAGES_SIDE, OWN_SIDE = 128, 16
"""At which refinement compares images: on the page, of 256 pixels, and here, of 32."""
OWN_WORDS = {str(PAGES_SIDE): str(OWN_SIDE), "4096": "64"}
"""What is small here: images are compared smaller, coordinates measured by fewer probes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page was followed up to the repository: packs and model_repository."""
    folder = tmp_path_factory.mktemp("own")
    for write in (*FAMILIES.values(), write_directions):
        write(folder)
    for code in [*MADE, *EXPORTED]:
        follow(code, folder)
    # A process of its own, which keeps no graphs.
    run(["sh", "-eux", "-c", AGAIN], folder)
    return folder


def follow(code: str, folder: Path) -> None:
    """Run commands of the page in this process, which has loaded PyTorch already."""
    with contextlib.chdir(folder):
        for line in code.replace("\\\n", " ").splitlines():
            program, *words = shlex.split(line)
            words = [OWN_WORDS.get(word, word) for word in words]
            assert program == "relatent-export", line
            assert main(words) == 0, line


@dataclass(frozen=True)
class Served:
    """A service of all the packs, and where they are."""

    address: str
    folder: Path

    def pack(self, name: str) -> Pack:
        return read_pack(self.folder / "packs" / name)

    def networks(self, name: str) -> Networks:
        return load_networks(self.folder / "packs" / name, self.pack(name).compare_size)


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = ServiceProcess(folder, tmp_path_factory.mktemp("served") / "server")
    try:
        service.wait_ready()
        yield Served(service.address, folder)
    finally:
        service.end()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[relatent.Client]:
    with relatent.Client(served.address, timeout=60) as client:
        yield client


def levels(picture: relatent.Picture, networks: Networks, code: relatent.LatentCode) -> int:
    """The largest difference of a served image to PyTorch's of the same code, in 255ths."""
    with torch.no_grad():
        ours = Synthesize(networks)(torch.from_numpy(code.values.copy())[None])[0].numpy()
    return int(np.abs(picture.array.astype(int) - ours.astype(int)).max())


def test_the_page_has_every_family() -> None:
    assert set(NAMES) == {*PACKS.values(), "edits"}


@pytest.mark.parametrize("name", PACKS.values(), ids=PACKS.keys())
def test_an_inversion_is_served_as_pytorch_draws_it(
    served: Served, client: relatent.Client, name: str
) -> None:
    pack, networks = served.pack(name), served.networks(name)
    target = client.sample([3], pack=name)[0].image
    start = client.invert(target, pack=name, steps=0)
    if networks.encoder is None:
        expected = pack.mean
    else:
        with torch.no_grad():
            pixels = to_float(torch.from_numpy(target.array.copy())[None])
            expected = encode(networks.encoder, networks.generator.synthesis, pixels)[0].numpy()
    np.testing.assert_allclose(start.latent.values, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    inversion = client.invert(target, pack=name, steps=20)
    assert levels(inversion.reconstruction, networks, inversion.latent) <= 1
    assert min(inversion.losses) < inversion.losses[0]
    measured = {"mse", "psnr", "ssim"} | {
        metric for metric in ("perceptual", "identity") if getattr(inversion.quality, metric) is not None
    }
    assert measured == set(pack.metrics)


@pytest.mark.parametrize("name", PACKS.values(), ids=PACKS.keys())
def test_an_edit_is_served_as_pytorch_draws_it(served: Served, client: relatent.Client, name: str) -> None:
    direction = served.pack(name).directions["age"]
    code = client.sample([5], pack=name)[0].latent
    (edited,) = client.edit(code, [relatent.Move("age", STRENGTH)]).images
    moved = STRENGTH * np.array(direction.lengths)[:, None] * direction.vector
    np.testing.assert_allclose(edited.latent.values, code.values + moved, rtol=1e-5, atol=1e-5)
    assert np.abs(moved).max() > 0.1
    assert levels(edited.image, served.networks(name), edited.latent) <= 1


def test_what_follows_once_the_packs_are_served_works_as_written(
    served: Served, client: relatent.Client
) -> None:
    client.sample([7], pack="faces")[0].image.save(served.folder / "portrait.png")
    assert SERVED
    for code in SERVED:
        run(["sh", "-eux", "-c", code], served.folder, served.address)
        for name in re.findall(r"--out (\S+)", code):
            assert any((served.folder / name).iterdir())


def test_the_catalog_serves_licence_and_provenance_of_each_pack_and_direction(
    client: relatent.Client,
) -> None:
    packs = client.catalog().packs
    assert set(packs) == set(PACKS.values())
    assert packs["faces"].licence == "CC-BY-NC-4.0"
    assert (packs["faces"].compare_side, packs["psp"].compare_side) == (32, OWN_SIDE)
    assert re.search(r"psp\.pt \(pSp, SHA-256 [0-9a-f]{64}\)", packs["psp"].provenance)
    (age,) = packs["psp"].directions
    assert "MIT" in age.licence


def test_three_layouts_of_the_same_network_are_the_same_network(folder: Path) -> None:
    packs = folder / "packs"
    layouts = {name: read_pack(packs / name).revision for name in ("rosinality", "nvlabs", "genforce")}
    assert len(set(layouts.values())) == 1, layouts


def test_every_kind_of_direction_is_taken_together(folder: Path) -> None:
    directions = read_pack(folder / "drafts" / "edits").directions
    assert set(directions) == {"age", "smile_w_boundary", *(f"ganspace_{i:02d}" for i in range(4))}
    assert all("MIT" in direction.licence for direction in directions.values())


def test_what_the_page_tells_of_gpus_is_exported(folder: Path) -> None:
    (code,) = EXPORTED
    for name in re.findall(r"--into (\S+)", code):
        assert len(list((folder / name).glob("*/config.pbtxt"))) == 4


def test_exporting_twice_gives_the_same_bytes(folder: Path) -> None:
    second = {path.relative_to(folder / "again"): path for path in (folder / "again").rglob("*.*")}
    assert len([path for path in second if path.suffix == ".onnx"]) == 4
    for name, path in second.items():
        assert path.read_bytes() == (folder / "model_repository" / name).read_bytes(), name


def test_directions_are_found_as_their_page_says(served: Served) -> None:
    (without, by_hand, trained) = (code.replace("own", "rosinality") for code in blocks(DIRECTIONS, "sh"))
    follow(without, served.folder)
    for line in by_hand.splitlines():
        if line.startswith("relatent-export"):
            follow(line, served.folder)
        else:
            run(["sh", "-eux", "-c", line], served.folder, served.address)
    follow(trained, served.folder)
    found = served.pack("rosinality").directions
    names = ["dark_boundary", *(f"{name}_{index}" for name in ("pca", "closed_form") for index in range(5))]
    assert found.keys() >= {*names, "walk_zoom", "walk_blue", "discovered_3"}
    assert (found["pca_2"].space, found["pca_3"].space) == (relatent.Space.P, relatent.Space.W)
    assert {path.stem for path in (served.folder / "previews").iterdir()} == set(names[1:])
