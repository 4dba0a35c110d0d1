"""What the repository promises of itself, whoever edits it."""

import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES = 300
MOST_LINES_OF_TESTS = 350
MOST_BYTES = 32 * 2**20
"""The largest are refinement graphs that go through an encoder, there and back."""
CODE = ("relatent", "service", "export", "bench", "tests", "scripts", "examples")
GENERATED = "relatent/v1/"


@cache
def _tracked() -> list[Path]:
    """The files in git, less those deleted but not yet committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return [file for file in files if file.is_file()]


def _modules() -> list[Path]:
    names = ((file, file.relative_to(ROOT).as_posix()) for file in _tracked())
    return [
        file
        for file, name in names
        if name.endswith(".py") and name.split("/")[0] in CODE and not name.startswith(GENERATED)
    ]


def test_every_module_is_short_enough_to_hold_one_subject() -> None:
    lengths = {file.relative_to(ROOT): len(file.read_text().splitlines()) for file in _modules()}
    assert lengths, "found no module at all"
    most = {name: MOST_LINES_OF_TESTS if name.parts[0] == "tests" else MOST_LINES for name in lengths}
    assert {str(name): length for name, length in lengths.items() if length > most[name]} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in _modules()
        if file.name != "__init__.py"
        and file.relative_to(ROOT).parts[0] != "tests"
        and not re.match(r'(#[^\n]*\n|\s)*r?"""', file.read_text())
    ]
    assert silent == []


def test_no_file_is_too_large_for_git() -> None:
    sizes = {file.relative_to(ROOT).as_posix(): file.stat().st_size for file in _tracked()}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


def test_nothing_in_git_is_a_pickle() -> None:
    """Weights are safetensors or ONNX: a pickle runs code when it is opened."""
    suffixes = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}
    named = [file.name for file in _tracked() if file.suffix in suffixes]
    begins = [file.name for file in _tracked() if re.match(rb"\x80[\x02-\x05][\x95c}\](\x8a]", _head(file))]
    zipped = [file.name for file in _tracked() if zipfile.is_zipfile(file) and _holds_a_pickle(file)]
    assert named + begins + zipped == []


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(3)


def _holds_a_pickle(file: Path) -> bool:
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith(".pkl") for name in archive.namelist())


def test_no_file_names_a_place_of_one_machine() -> None:
    """Home folders, checkouts and package indices are somebody's own."""
    own = re.compile(rb"/(home|Users|root|work)/[a-z]|(pypi|pythonhosted|download\.pytorch)\.(org|net)")
    found = [
        f"{file.relative_to(ROOT)}: {match.group().decode()}"
        for file in _tracked()
        if file != Path(__file__) and (match := own.search(file.read_bytes()))
    ]
    assert found == []


def _is_below(file: Path, folder: str) -> bool:
    return file.is_relative_to(ROOT / folder)


def test_the_client_is_all_that_the_walls_name() -> None:
    """A new part of `relatent` must have its place inside or outside the walls round the client."""
    parts = {
        file.relative_to(ROOT / "relatent").parts[0] for file in _tracked() if _is_below(file, "relatent")
    }
    assert parts == {"__init__.py", "__main__.py", "py.typed", "cli", "client", "core", "playground", "v1"}


@pytest.mark.parametrize("package", ["relatent", "service/relatent_service", "export/relatent_export"])
def test_a_package_is_typed_for_those_who_import_it(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_licence_is_there_and_is_the_one_named() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The distribution, built from a copy of the tracked files."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for file in _tracked():
        if file.relative_to(ROOT).parts[0] in ("relatent", "service", "export") or file.parent == ROOT:
            copy = source / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", built, source], check=True)
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_a_wheel_holds_all_that_an_installed_relatent_needs(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    sources = {
        file.relative_to(ROOT).as_posix().removeprefix("service/").removeprefix("export/")
        for file in _tracked()
        if file.relative_to(ROOT).parts[0] in ("relatent", "service", "export")
    }
    assert sources - names == set()


def test_a_wheel_brings_no_name_that_is_not_our_own(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {
        "relatent",
        "relatent_service",
        "relatent_export",
    }


def test_what_an_editable_install_brings_is_found_by_type_checkers(tmp_path: Path) -> None:
    """They read the path that an environment states, and run no import hooks of an installer's."""
    (tmp_path / "caller.py").write_text(
        "import relatent\nfrom relatent.v1 import types_pb2\n"
        "reveal_type(relatent.Client().sample)\nreveal_type(types_pb2.Image().data)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "caller.py"]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "caller")]
    done = subprocess.run([*command, *cache], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SynthesizedImage" in done.stdout
    assert 'Revealed type is "bytes"' in done.stdout
    assert "[import-" not in done.stdout
