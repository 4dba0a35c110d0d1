"""ONNX Runtime sessions, opened alike in process and inside Triton."""

from __future__ import annotations

import math
import os
from pathlib import Path

import onnxruntime as ort

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores() -> int:
    """Cores that this process may use: its affinity, and its container's quota rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))


def open_session(model: Path | bytes) -> ort.InferenceSession:
    """Open an ONNX file, or the bytes of one, for the CPU, with as many threads as there are cores.

    Raises:
        Exception: ONNX Runtime's own, when the file cannot be read or run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = available_cores()
    options.inter_op_num_threads = 1
    # Every graph has a pool of its own. Within a run its threads may spin for the next operator; left
    # to spin after it, the idle pools would take the cores from the busy one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
