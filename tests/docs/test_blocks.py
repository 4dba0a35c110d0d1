"""What the documentation tells to type works, as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import relatent
from relatent.client.settings import DEFAULT_ADDRESS
from tests.docs.blocks import BRING_YOUR_OWN, DIRECTIONS, PAGES, ROOT, blocks, run

# What these pages tell to type needs imported packs: test_bring_your_own runs it.
TRIED_HERE = [page for page in PAGES if page not in (BRING_YOUR_OWN, DIRECTIONS)]


def _blocks(language: str) -> list[tuple[Path, str]]:
    return [(page, code) for page in TRIED_HERE for code in blocks(page, language)]


@pytest.fixture
def folder(address: str, tmp_path: Path) -> Path:
    """A folder with a picture, as the documentation has it."""
    with relatent.Client(address) as client:
        client.sample([7])[0].image.save(tmp_path / "portrait.png")
    return tmp_path


def test_the_readme_shows_python_and_shell() -> None:
    assert _blocks("python")
    assert _blocks("sh")


@pytest.mark.parametrize(("page", "code"), _blocks("python"))
def test_python_runs_as_written(page: Path, code: str, folder: Path, address: str) -> None:
    before = {path.name for path in folder.iterdir()}
    run([sys.executable, "-c", code.replace(DEFAULT_ADDRESS, address)], folder, address)
    for name in re.findall(r'save\("([^"]+)"\)', code):
        assert name not in before
        assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize(("page", "code"), _blocks("sh"))
def test_shell_runs_as_written(page: Path, code: str, folder: Path, address: str) -> None:
    run(["sh", "-eux", "-c", code], folder, address)
    for name in re.findall(r"--out (\S+)", code):
        assert (folder / name).exists()


def test_every_make_target_that_is_named_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    told = "\n".join(page.read_text() for page in pages)
    named = set(re.findall(r"(?:`|\$ |&& |^)make ([a-z-]+)", told, re.MULTILINE))
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named
    assert named - set(re.findall(r"^  make ([a-z-]+)", helped, re.MULTILINE)) == set()


def test_every_link_to_a_file_leads_to_one() -> None:
    broken = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
