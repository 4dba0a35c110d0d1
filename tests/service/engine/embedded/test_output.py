"""What of Triton's words is an error, and what is not."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest

from relatent_service.engine.embedded.output import TritonOutput

LINES = """I1126 22:02:00.000001 41 server.cc:241] "all is well"
E1126 22:02:00.000002 41 cuda.cc:7] "CudaDriverHelper has not been initialized"
E1126 22:02:00.000003 41 ensemble_scheduler.cc:1677] "unable to create stream for demo_read: CUDA driver"
W1126 22:02:00.000004 41 metrics.cc:9] "no GPU"
E1126 22:02:00.000005 41 model.cc:1] "failed to load demo_map"
\x1b[1;31m2026-11-26 22:02:00 [E:onnxruntime:demo_map] bad weights\x1b[m
error: creating server: Internal
"""


class Speaking:
    """A process that has said something."""

    def __init__(self, text: str) -> None:
        self.stdout = io.StringIO(text)


async def test_what_a_machine_without_a_gpu_lacks_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    process: Any = Speaking(LINES)
    with caplog.at_level(logging.DEBUG, "relatent_service.engine.embedded.child.triton"):
        output = TritonOutput(process)
        await output.end()
    told = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == 2
    assert "failed to load demo_map" in told[0]
    assert told[1].endswith("[E:onnxruntime:demo_map] bad weights")
    assert list(output.complaints) == [*told, "error: creating server: Internal"]
