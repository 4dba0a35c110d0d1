"""Bills are CycloneDX, and complete."""

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts.sbom import BillInvalid, bill, check, environment_bill, graph_components, main, system_components

ROOT = Path(__file__).parents[2]
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u14
Description: a library
 Version: of a description

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1:1.0-1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2026a
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text('NAME="Debian"\nVERSION_ID="12"\nID=debian\n')
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with two packages, of which one needs the other."""
    folder = tmp_path / "environment"
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    for name, needs in {"upper": "Requires-Dist: lower>=1\n", "lower": ""}.items():
        told = site / f"{name}-1.5.dist-info"
        told.mkdir()
        metadata = (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.5\nLicense-Expression: Apache-2.0\n{needs}"
        )
        (told / "METADATA").write_text(metadata)
    return folder


def test_a_systems_packages_are_those_installed(system: Path) -> None:
    found = list(system_components(system))
    assert [one["purl"] for one in found] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12",
        "pkg:deb/debian/tzdata@1:2026a?arch=all&distro=debian-12",
    ]
    check(json.dumps(bill("image", "1", {}, found)))


def test_graphs_are_told_by_their_digests() -> None:
    found = {one["name"]: one for one in graph_components(ROOT / "model_repository")}
    path = ROOT / "model_repository" / "demo_encode" / "1" / "model.onnx"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["demo_encode"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert found.keys() == {one.parts[-3] for one in (ROOT / "model_repository").glob("*/1/model.onnx")}


def test_the_bill_of_an_image_fits_the_schema_and_is_the_same_again(
    system: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(file: Path) -> str:
        told = ["--environment", environment, "--system", system, "--packs", ROOT / "packs", "--out", file]
        command = ["sbom", "--name", "relatent-service", "--version", "1", *map(str, told)]
        monkeypatch.setattr(sys, "argv", command)
        assert main() == 0
        return file.read_text()

    text = written(system / "bill.json")
    check(text)
    found = json.loads(text)
    named = {one["name"].lower(): one.get("version") for one in found["components"]}
    assert named.keys() == {"upper", "lower", "libc6", "tzdata", "demo"}
    assert named["upper"] == "1.5"
    assert found["metadata"]["component"]["name"] == "relatent-service"
    needed = {one["ref"]: one.get("dependsOn") for one in found["dependencies"]}
    assert needed["upper==1.5"] == ["lower==1.5"]
    assert written(system / "again.json") == text


def test_what_the_schema_does_not_know_is_refused() -> None:
    wrong = {"bom-ref": "a", "type": "engine", "name": "a"}
    with pytest.raises(BillInvalid):
        bill("image", "1", {}, [wrong])


def test_an_environment_that_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        environment_bill(tmp_path / "nowhere")
