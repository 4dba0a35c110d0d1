"""How the embedded Triton is started: its folder of backends, command line and environment."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import service
from service.engine import leash
from service.engine.claim import Claim
from service.engine.installation import Installation

HOST = "127.0.0.1"
BACKENDS = Path(__file__).parent / "backends"


def reserve_port() -> socket.socket:
    """Choose a free loopback port and keep it.

    The socket is bound but never listens: the port is given to nobody else, yet Triton may bind it, again
    and again.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((HOST, 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    """The port that was reserved."""
    return int(reserved.getsockname()[1])


def lay_out_backends(folder: Path, installation: Installation) -> Path:
    """Fill a folder of backends: Triton's Python backend and our `onnxruntime`.

    Real copies, since Triton refuses links that leave the folder.
    """
    python = folder / "python"
    shutil.copytree(installation.python_backend, python)
    shutil.copy2(installation.stub, python / installation.stub.name)
    shutil.copytree(BACKENDS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def spawn(
    installation: Installation, repository: Path, claim: Claim, ports: Sequence[int]
) -> subprocess.Popen[str]:
    """Start Triton in a process group of its own, tied to this thread.

    Args:
        installation: where its parts are.
        repository: the model repository.
        claim: owns what it leaves behind; its folder holds the backends.
        ports: of gRPC and of metrics.

    Returns:
        The process, its output on a pipe as lines of text.
    """
    grpc_port, metrics_port = ports
    command = [
        str(installation.server),
        f"--model-repository={repository.resolve()}",
        f"--backend-directory={claim.folder / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={claim.prefix}",
        # On a busy machine the workers take their time to import what they need.
        "--backend-config=python,stub-timeout-seconds=120",
        "--disable-auto-complete-config",
        "--allow-http=false",
        f"--grpc-address={HOST}",
        f"--grpc-port={grpc_port}",
        f"--metrics-address={HOST}",
        f"--metrics-port={metrics_port}",
        "--allow-gpu-metrics=false",
    ]
    return subprocess.Popen(
        [sys.executable, "-I", leash.__file__, str(os.getpid()), *command],
        env=_environment(installation),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _environment(installation: Installation) -> dict[str, str]:
    """This process's, with the stub's libraries, this Python's packages and this package."""
    folders = [str(folder) for folder in installation.library_folders]
    return {
        **os.environ,
        "PATH": _before(str(Path(sys.executable).parent), "PATH"),
        "LD_LIBRARY_PATH": _before(":".join(folders), "LD_LIBRARY_PATH"),
        "PYTHONPATH": _before(str(Path(service.__file__).parent.parent), "PYTHONPATH"),
    }


def _before(folders: str, variable: str) -> str:
    rest = os.environ.get(variable)
    return f"{folders}:{rest}" if rest else folders
