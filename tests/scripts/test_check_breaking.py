"""`scripts/check-breaking`: compares the contract with main's, and says so where it cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "check-breaking"
BUF = Path(sys.executable).parent / "buf"


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def _check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(SCRIPT)]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "BUF": str(BUF), "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose branch main holds the contract, with a branch on top of it checked out."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    _git(tmp_path, "init", "--initial-branch=main")
    _git(tmp_path, "add", "proto")
    _git(tmp_path, "commit", "--message=Contract")
    _git(tmp_path, "checkout", "-b", "branch")
    return tmp_path


def _replace(checkout: Path, old: str, new: str) -> None:
    path = checkout / "proto" / "relatent" / "v1" / "types.proto"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_unchanged_contract_passes(checkout: Path) -> None:
    checked = _check(checkout)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "nothing breaks the contract of main" in checked.stdout


def test_a_new_field_passes(checkout: Path) -> None:
    _replace(
        checkout, "  float perceptual = 4;", "  float perceptual = 4;\n  // New.\n  float sharpness = 6;"
    )
    assert _check(checkout).returncode == 0


def test_a_removed_field_fails_and_is_named(checkout: Path) -> None:
    _replace(checkout, "  float perceptual = 4;", "")
    checked = _check(checkout)
    assert checked.returncode != 0
    assert '"perceptual"' in checked.stdout + checked.stderr


def test_a_clone_without_main_says_that_nothing_was_compared(checkout: Path) -> None:
    _git(checkout, "branch", "--delete", "--force", "main")
    _replace(checkout, "  float perceptual = 4;", "")
    checked = _check(checkout)
    assert checked.returncode == 0
    assert "not compared: this clone has neither main nor origin/main" in checked.stdout


def test_a_main_without_a_contract_says_that_nothing_was_compared(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--initial-branch=main")
    _git(tmp_path, "commit", "--allow-empty", "--message=Empty")
    checked = _check(tmp_path)
    assert checked.returncode == 0
    assert "not compared: main has no proto/ yet" in checked.stdout


def test_a_folder_that_is_no_checkout_says_that_nothing_was_compared(tmp_path: Path) -> None:
    checked = _check(tmp_path)
    assert checked.returncode == 0
    assert "not compared: this is no git checkout" in checked.stdout
