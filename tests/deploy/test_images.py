"""What images are made of, as far as it can be told without building them."""

import fnmatch
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from relatent.core.pack import read_packs
from relatent_service.engine.embedded.installation import WHEEL
from scripts import build_images, lock_images
from scripts.lock_images import LOCKS, RUNTIMES, wanted, written
from tests.deploy.manifests import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LABELS = ("title", "description", "licenses", "base.name", "version", "revision", "created")
IMAGES = ("service", "standalone", "triton")


def stages() -> dict[str, tuple[str, str]]:
    """By name: what a stage is made from, and its lines."""
    found = re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return {name: (base, lines) for base, name, lines in found}


def whole(name: str) -> str:
    """The lines of a stage and of those below it."""
    base, lines = stages()[name]
    return (whole(base) if base in stages() else "") + lines


def locked(name: str) -> dict[str, str]:
    """Versions of a file of deploy/images, by package."""
    lines = (lock_images.FOLDER / name).read_text().splitlines()
    pairs = [line.split()[0].split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_without_rights_and_has_its_labels_and_its_bill(image: str) -> None:
    lines = whole(image)
    assert re.findall(r"^USER (.*)$", lines, re.MULTILINE) == ["65532:65532"]
    assert re.findall(r"org\.opencontainers\.image\.([\w.]+)=", lines) == list(LABELS)
    assert f'title="relatent-{image}"' in lines
    assert f'licenses="{PROJECT["license"]}"' in lines
    assert f"COPY --from={image}-bill /sbom.cdx.json /usr/share/doc/relatent/sbom.cdx.json" in lines
    for argument in ("VERSION", "REVISION", "CREATED"):
        assert f'="${{{argument}}}"' in lines
        assert re.search(rf"^ARG {argument}$", lines, re.MULTILINE)


def test_what_runs_as_root_is_left_behind() -> None:
    """What an image is made of is copied: nothing runs in it while it is built."""
    for image in IMAGES:
        assert re.findall(r"^(?:RUN|ADD) ", whole(image), re.MULTILINE) == []


def test_every_base_is_an_argument_with_a_tag() -> None:
    bases = {base for base, _ in stages().values() if base not in stages()}
    assert bases == {"${PYTHON_IMAGE}", "${TRITON_IMAGE}"}
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", DOCKERFILE, re.MULTILINE))
    assert defaults.keys() == set(build_images.STAND_INS) == set(build_images.BASES.values())
    assert all(re.search(r":[\w.-]*\d[\w.-]*$", default) for default in defaults.values())
    assert f":{lock_images.PYTHON}-" in defaults["PYTHON_IMAGE"]


def test_the_version_is_the_projects() -> None:
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE) == [PROJECT["version"]]


def test_every_installation_is_of_known_digests_or_a_version() -> None:
    installed = re.findall(r"pip(?: --python \S+)? install (.*?)(?=\n[A-Z]|&&)", DOCKERFILE, re.DOTALL)
    assert len(installed) == 4
    for arguments in installed:
        known = "--require-hashes" in arguments or "==" in arguments
        assert known or arguments.split()[-2:] == ["--no-deps", "/src"]


@pytest.mark.parametrize("name", LOCKS)
def test_images_have_versions_that_the_project_wants(name: str) -> None:
    versions = locked(name)
    for requirement in map(Requirement, wanted(name)):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_known_by_its_digest(name: str) -> None:
    lines = (lock_images.FOLDER / name).read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"\S+==\S+( --hash=sha256:[0-9a-f]{64})+", line)] == []


def test_the_service_has_nothing_that_computes_graphs_and_no_torch() -> None:
    assert not {"torch", *RUNTIMES} & locked("service.txt").keys()
    assert set(RUNTIMES) <= locked("standalone.txt").keys()
    assert WHEEL in RUNTIMES


def test_the_standalone_image_adds_packages_and_changes_none() -> None:
    """It is built on the other's environment, which has those already."""
    assert locked("service.txt").items() <= locked("standalone.txt").items()


def test_versions_that_differ_by_processor_are_refused() -> None:
    with pytest.raises(ValueError, match="numpy: expected one version"):
        written([{"numpy": ("1", "aa")}, {"numpy": ("2", "bb")}], ("one", "other"))


def sent(path: Path) -> bool:
    """Whether a file gets to a build: the last line that fits it, or a folder above it, decides."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    candidates = [path, *list(path.parents)[:-1]]
    answer = True
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        pattern = line.removeprefix("!")
        if any(
            fnmatch.fnmatch(str(each), pattern) and str(each).count("/") == pattern.count("/")
            for each in candidates
        ):
            answer = line.startswith("!")
    return answer


def test_of_packs_only_what_a_service_reads_gets_into_an_image(tmp_path: Path) -> None:
    files = [path.relative_to(ROOT) for path in (ROOT / "packs").rglob("*") if path.is_file()]
    for file in filter(sent, files):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (copied,) = read_packs(tmp_path / "packs").values()
    (whole_pack,) = read_packs(ROOT / "packs").values()
    assert copied.served == whole_pack.served
    assert copied.directions.keys() == whole_pack.directions.keys()
    assert sum(path.stat().st_size for path in (tmp_path / "packs").rglob("*")) < 1_000_000


def test_no_key_and_no_test_gets_into_an_image() -> None:
    for name in ("keys.json", "tests/conftest.py", "out/x", ".git/config", "packs/demo/encoder.safetensors"):
        assert not sent(Path(name))
    for name in ("relatent/__init__.py", "deploy/images/service.txt", "packs/demo/pack.toml"):
        assert sent(Path(name))
