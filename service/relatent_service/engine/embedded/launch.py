"""How the embedded Triton is started: its folder of backends, command line and environment."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import relatent_service
from relatent.core.addresses import LOOPBACK
from relatent.core.tracing import tracing
from relatent.core.tracing_setup import triton_endpoint
from relatent_service.engine.embedded import guard
from relatent_service.engine.embedded.installation import Installation
from relatent_service.engine.embedded.leftovers import SOCKET_PORT, Leftovers
from relatent_service.engine.embedded.processes import arguments_of, children_of

BACKENDS = Path(__file__).parent / "backends"
BLOCK = 4096
STUB = "/triton_python_backend_stub"
UNUSED_PROTOCOLS = ("shared-memory", "logging", "trace")
"""What Triton's gRPC can do besides, and nobody shall ask it for."""
PASSED_ON = ("HOME", "PYTHONHOME", "PYTHONUSERBASE", "TMPDIR", "LANG", "LANGUAGE", "TZ", "LD_PRELOAD")
PASSED_ON_BEGINNINGS = ("LC_", "ORT_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_", "MKL_", "MALLOC_", "GLIBC_")
"""What Triton gets of this process's environment: how to find Python's packages, and how to compute. Neither
proxies nor anybody's secrets."""


def reserve_port() -> socket.socket:
    """Choose a free loopback port and keep it.

    The socket is bound but never listens: the port is given to nobody else, yet Triton may bind it, again
    and again.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    """The port that was reserved."""
    return int(reserved.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether somebody listens at a port that was reserved, which no reservation keeps another user from."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def size_of_backends(installation: Installation) -> int:
    """Bytes that the folder of backends takes, or a little more."""
    files = [*installation.python_backend.rglob("*"), installation.stub, *BACKENDS.rglob("*")]
    return sum(-(-file.stat().st_size // BLOCK) * BLOCK for file in files)


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
    installation: Installation, repository: Path, leftovers: Leftovers, metrics_port: int
) -> subprocess.Popen[str]:
    """Start Triton in a process group of its own, tied to this thread.

    Args:
        installation: where its parts are.
        repository: the model repository.
        leftovers: owns what it leaves behind; their folder holds the backends.
        metrics_port: of Prometheus metrics, on loopback.

    Returns:
        The process, its output on a pipe as lines of text.
    """
    command = [
        str(installation.server),
        f"--model-repository={repository.resolve()}",
        f"--backend-directory={leftovers.folder / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={leftovers.prefix}",
        # On a busy machine the workers take their time to import what they need.
        "--backend-config=python,stub-timeout-seconds=120",
        "--disable-auto-complete-config",
        "--allow-http=false",
        # Of TCP ports, others could take one while Triton is away, and ask whoever has it for anything.
        f"--grpc-address={leftovers.listen}",
        f"--grpc-port={SOCKET_PORT}",
        f"--grpc-restricted-protocol={','.join(UNUSED_PROTOCOLS)}:unused={secrets.token_hex(16)}",
        f"--metrics-address={LOOPBACK}",
        f"--metrics-port={metrics_port}",
        "--allow-gpu-metrics=false",
        *_traces(),
    ]
    return subprocess.Popen(
        [sys.executable, "-I", guard.__file__, str(os.getpid()), *command],
        env=_environment(installation),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def workers_of(triton: int) -> dict[int, str]:
    """Triton's workers: the graph of each, by process id."""
    workers = {}
    for child in children_of(triton):
        match arguments_of(child):
            case [program, model, *_] if program.endswith(STUB):
                workers[child] = Path(model).parent.parent.name  # it is GRAPH/VERSION/FILE
    return workers


def _traces() -> list[str]:
    """Flags that have it send spans of its own where ours go, of the calls alone that we trace."""
    url = triton_endpoint() if tracing() else ""
    if not url:
        return []
    told = ("mode=opentelemetry", "rate=0", "level=TIMESTAMPS")
    otlp = (f"url={url}", "resource=service.name=triton")
    return [f"--trace-config={one}" for one in (*told, *(f"opentelemetry,{one}" for one in otlp))]


def _environment(installation: Installation) -> dict[str, str]:
    """What is passed on, with the stub's libraries, this Python's packages and this package."""
    folders = [str(folder) for folder in installation.library_folders]
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_BEGINNINGS)
    }
    return {
        **passed_on,
        "PATH": _before(str(Path(sys.executable).parent), "PATH"),
        "LD_LIBRARY_PATH": _before(":".join(folders), "LD_LIBRARY_PATH"),
        "PYTHONPATH": _before(str(Path(relatent_service.__file__).parent.parent), "PYTHONPATH"),
    }


def _before(folders: str, variable: str) -> str:
    rest = os.environ.get(variable)
    return f"{folders}:{rest}" if rest else folders
