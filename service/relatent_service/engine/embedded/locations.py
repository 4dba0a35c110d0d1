"""Where an embedded Triton can have its files and the memory that it shares with its workers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from relatent_service.engine.embedded.installation import InstallationError
from relatent_service.engine.graphs import size_of

REGIONS = Path("/dev/shm")
"""Where Linux keeps shared memory that has names; Triton cannot be told of another place."""
SCRATCH = Path("/tmp")
"""Where Triton's Python backend makes a folder, empty, whatever the environment says."""
MIB = 2**20
MOUNT = "mount one, with docker --tmpfs /tmp:exec, or in Kubernetes an emptyDir"
REGION_BYTES = MIB
"""A region's size at first, and what it grows by multiples of."""


def temporary_folders() -> list[Path]:
    """Where temporary files may go, the best first."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    usual = ("/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR"), str(REGIONS))
    return list(dict.fromkeys(Path(folder).absolute() for folder in (*named, *usual) if folder))


def find_folder(folders: Sequence[Path], size: int) -> Path:
    """Choose a folder for Triton's backends, which are libraries and a program.

    Args:
        folders: to choose from, the best first.
        size: bytes that it must have room for.

    Raises:
        InstallationError: none of them will do, or SCRATCH cannot be written to.
    """
    scratch = _why_not(SCRATCH, 0, programs=False)
    if scratch is not None:
        raise InstallationError(f"it needs {SCRATCH}, which {scratch}: {MOUNT}")
    reasons = []
    for folder in folders:
        reason = _why_not(folder, size)
        if reason is None:
            return folder
        reasons.append(f"{folder} {reason}")
    raise InstallationError(
        f"it needs a temporary folder with {_mib(size)} free in which programs may be started "
        f"({', '.join(reasons)}): {MOUNT}, or name one in TMPDIR"
    )


def check_shared_memory(needed: int) -> None:
    """Check that there is shared memory for Triton and its workers.

    Raises:
        InstallationError: there is none, or less than is needed.
    """
    reason = _why_not(REGIONS, needed, programs=False)
    if reason is not None:
        raise InstallationError(
            f"it needs {_mib(needed)} of shared memory, and {REGIONS} {reason}: give the container more, "
            "with docker --shm-size, or in Kubernetes with an emptyDir of medium Memory mounted there"
        )


def shared_memory_needed(repository: Path) -> int:
    """Bytes that Triton and its workers share when every graph of a repository runs its largest batch.

    Configurations that cannot be read count for nothing: Triton will name them.
    """
    total = 0
    for path in repository.glob("*/config.pbtxt"):
        try:
            config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
        except (OSError, UnicodeDecodeError, text_format.ParseError):
            continue
        if config.HasField("ensemble_scheduling"):
            continue  # its graphs share what they need themselves
        tensors = sum(size_of(tensor) for tensor in (*config.input, *config.output))
        batch = tensors * max(1, config.max_batch_size)
        total += REGION_BYTES * (1 + math.ceil(batch / REGION_BYTES))
    return total


def _why_not(folder: Path, size: int, programs: bool = True) -> str | None:
    """Why a folder will not do, to be put after its name."""
    if not folder.is_dir():
        return "does not exist"
    try:
        system = os.statvfs(folder)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if system.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written to"
    if programs and system.f_flag & os.ST_NOEXEC:
        return "is mounted noexec"
    free = system.f_bavail * system.f_frsize
    return f"has {_mib(free)} free" if free < size else None


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
