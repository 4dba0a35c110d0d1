"""`scripts/find-python`: an interpreter that fits, or a clear word on what is missing."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "find-python"


def _interpreter(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    """A pretended interpreter that answers the two questions the script asks."""
    path = folder / name
    path.write_text(
        f"""#!/bin/sh
case "$2" in
    *version_info*) echo {version} ;;
    *ensurepip*) exit {0 if venv else 1} ;;
esac
"""
    )
    path.chmod(0o755)
    return path


def _find(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", SCRIPT, *arguments],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PATH with nothing on it; the script itself needs nothing."""
    return tmp_path


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_it_takes_python3_where_that_fits(folder: Path, version: str) -> None:
    expected = _interpreter(folder, "python3", version)
    assert _find(folder).stdout.strip() == str(expected)


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_it_passes_over_a_python_too_old_or_too_new_for_one_that_fits(folder: Path, version: str) -> None:
    _interpreter(folder, "python3", version)
    expected = _interpreter(folder, "python3.11", "3.11")
    assert _find(folder).stdout.strip() == str(expected)


def test_it_passes_over_a_name_that_does_not_run(folder: Path) -> None:
    (folder / "python3").write_text("#!/bin/sh\nexit 127\n")
    (folder / "python3").chmod(0o755)
    expected = _interpreter(folder, "python3.12", "3.12")
    assert _find(folder).stdout.strip() == str(expected)


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_it_says_which_python_was_found_and_which_is_needed(folder: Path, version: str) -> None:
    _interpreter(folder, "python3", version)
    found = _find(folder)
    assert found.returncode == 1
    assert found.stdout == ""
    assert f"python3 is Python {version}" in found.stderr
    assert "needs Python 3.11 or 3.12" in found.stderr


def test_it_says_that_the_venv_module_is_missing_and_how_to_get_it(folder: Path) -> None:
    _interpreter(folder, "python3", "3.11", venv=False)
    found = _find(folder)
    assert found.returncode == 1
    assert "venv module is missing" in found.stderr
    assert "apt install python3 python3-venv" in found.stderr


def test_it_says_that_there_is_no_python_at_all(folder: Path) -> None:
    found = _find(folder)
    assert found.returncode == 1
    assert "found no Python at all" in found.stderr


def test_it_looks_only_at_the_interpreter_it_is_told(folder: Path) -> None:
    _interpreter(folder, "python3", "3.11")
    told = _interpreter(folder, "mine", "3.9")
    found = _find(folder, str(told))
    assert found.returncode == 1
    assert "mine is Python 3.9" in found.stderr
