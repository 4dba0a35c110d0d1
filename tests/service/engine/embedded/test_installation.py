"""What the embedded Triton needs, and what is said when it is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relatent_service.engine.embedded import installation
from relatent_service.engine.embedded.installation import (
    LIBPYTHON,
    InstallationError,
    find_installation,
    find_libpython,
    library_folders,
)


def test_everything_found_is_there() -> None:
    found = find_installation()
    assert found.server.is_file()
    assert found.stub.is_file()
    assert (found.python_backend / "libtriton_python.so").is_file()
    assert any((folder / LIBPYTHON).exists() for folder in found.library_folders)


def test_libpython_beside_the_running_interpreter_comes_before_the_systems(tmp_path: Path) -> None:
    beside, system, empty = tmp_path / "beside", tmp_path / "system", tmp_path / "empty"
    for folder in (beside, system, empty):
        folder.mkdir()
    for folder in (beside, system):
        (folder / LIBPYTHON).touch()
    assert find_libpython([empty, beside, system]) == beside
    folders = library_folders()
    assert folders.index(Path(sys.base_prefix, "lib")) < folders.index(Path("/usr/lib"))


def no_wheel(name: str) -> None:
    return None


def no_program(name: str) -> None:
    return None


BREAKAGES: dict[str, Callable[[pytest.MonkeyPatch], Any]] = {
    "Linux on x86-64 only": lambda patch: patch.setattr(platform, "machine", lambda: "aarch64"),
    "is not installed: pip install": lambda patch: patch.setattr(importlib.util, "find_spec", no_wheel),
    "NumPy below 2, not 2.1.0: pip install 'numpy<2'": lambda patch: patch.setattr(
        np, "__version__", "2.1.0"
    ),
    "bash": lambda patch: patch.setattr(shutil, "which", no_program),
    "no stub for Python 3.99": lambda patch: patch.setattr(installation, "PYTHON", "3.99"),
    "apt-get install libpython3": lambda patch: patch.setattr(installation, "library_folders", list),
}


def test_the_cure_for_a_missing_wheel_holds_in_the_service_image_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", no_wheel)
    with pytest.raises(InstallationError, match=r"left out on purpose, as in the service image.*--triton"):
        find_installation()


@pytest.mark.parametrize("message", BREAKAGES)
def test_what_is_missing_is_named_with_its_cure_in_one_line(
    message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    BREAKAGES[message](monkeypatch)
    with pytest.raises(InstallationError) as caught:
        find_installation()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
