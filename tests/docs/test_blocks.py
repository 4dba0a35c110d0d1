"""What the documentation tells to type works, as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import relatent
from relatent.flows import DEFAULT_ADDRESS

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _blocks(*languages: str) -> list[tuple[Path, str]]:
    blocks = [(page, *block) for page in PAGES for block in BLOCK.findall(page.read_text())]
    return [(page, code) for page, language, code in blocks if language in languages]


@pytest.fixture
def folder(address: str, tmp_path: Path) -> Path:
    """A folder with a picture, as the documentation has it."""
    with relatent.Client(address) as client:
        client.sample([7])[0].image.save(tmp_path / "portrait.png")
    return tmp_path


def _run(command: list[str], folder: Path, address: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "RELATENT_ADDRESS": address}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_shows_python_and_shell() -> None:
    assert _blocks("python")
    assert _blocks("sh")


@pytest.mark.parametrize(("page", "code"), _blocks("python"))
def test_python_runs_as_written(page: Path, code: str, folder: Path, address: str) -> None:
    before = {path.name for path in folder.iterdir()}
    _run([sys.executable, "-c", code.replace(DEFAULT_ADDRESS, address)], folder, address)
    for name in re.findall(r'save\("([^"]+)"\)', code):
        assert name not in before
        assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize(("page", "code"), _blocks("sh"))
def test_shell_runs_as_written(page: Path, code: str, folder: Path, address: str) -> None:
    _run(["sh", "-eux", "-c", code], folder, address)
    for name in re.findall(r"--out (\S+)", code):
        assert (folder / name).exists()


def test_every_make_target_that_is_named_exists() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"(?:`|\$ |&& )make ([a-z]+)", told))
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named
    assert named - set(re.findall(r"^  make (\w+)", helped, re.MULTILINE)) == set()


def test_every_link_to_a_file_leads_to_one() -> None:
    broken = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
