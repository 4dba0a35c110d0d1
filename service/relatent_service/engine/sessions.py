"""ONNX Runtime sessions, opened alike in process and inside Triton."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from relatent_service.engine.cores import available_cores


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
