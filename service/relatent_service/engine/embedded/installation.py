"""The parts of the Triton that comes with the PyPI wheel, and what it needs besides."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WHEEL = "nvidia-pytriton"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBPYTHON = f"libpython{PYTHON}.so.1.0"


class InstallationError(Exception):
    """Something is missing; the message says what and how to get it."""


@dataclass(frozen=True)
class Installation:
    """Where things are.

    Attributes:
        server: the program.
        python_backend: the folder with Triton's Python backend.
        stub: the program in which that backend runs Python, made for this version of it.
        library_folders: where the stub finds its libraries.
    """

    server: Path
    python_backend: Path
    stub: Path
    library_folders: tuple[Path, ...]


def find_installation() -> Installation:
    """Find everything that an embedded Triton needs.

    Raises:
        InstallationError: something is missing.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise InstallationError(f"the wheel {WHEEL} exists for Linux on x86-64 only")
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise InstallationError(
            f"{WHEEL} is not installed: pip install 'relatent[serve]', or where it is left out on purpose, "
            "as in the service image, give the address of a Triton, --triton or RELATENT_TRITON"
        )
    # The stub is built against NumPy 1: with NumPy 2 every tensor that it passes is empty, without an error.
    if int(np.__version__.split(".")[0]) >= 2:
        raise InstallationError(f"it needs NumPy below 2, not {np.__version__}: pip install 'numpy<2'")
    if shutil.which("bash") is None:
        raise InstallationError("it starts its workers with bash, which is not to be found: install bash")
    triton = Path(spec.origin).parent / "tritonserver"
    stub = triton / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.is_file():
        raise InstallationError(f"{WHEEL} has no stub for Python {PYTHON}: use Python 3.11 or 3.12")
    return Installation(
        server=triton / "bin" / "tritonserver",
        python_backend=triton / "backends" / "python",
        stub=stub,
        library_folders=(triton.parent.parent / "nvidia_pytriton.libs", find_libpython(library_folders())),
    )


def library_folders() -> list[Path]:
    """Where a shared libpython may lie, the running interpreter's own first."""
    named = [
        sysconfig.get_config_var("LIBDIR"),
        os.path.join(sys.base_prefix, "lib"),
        *os.environ.get("LD_LIBRARY_PATH", "").split(":"),
        f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}",
        "/usr/local/lib",
        "/usr/lib64",
        "/usr/lib",
    ]
    return [Path(folder) for folder in named if folder]


def find_libpython(folders: Sequence[Path]) -> Path:
    """Find the folder with the shared library of the running Python's version.

    Raises:
        InstallationError: it is in none of the folders.
    """
    for folder in folders:
        if (folder / LIBPYTHON).exists():
            return folder
    raise InstallationError(
        f"{LIBPYTHON} is not to be found: on Debian and Ubuntu, apt-get install libpython{PYTHON}"
    )
