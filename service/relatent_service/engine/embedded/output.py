"""What the embedded Triton says: taken into the service's log, and kept for when it does not start."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import threading
from collections import deque

log = logging.getLogger("relatent_service.engine.embedded.child.triton")

COMPLAINTS = 6
"""How many of them a failed start tells."""
LOG_SECONDS = 1.0
# How its lines begin: 'E1122 05:56:01.508944 6500 server.cc:241] "…"'. Its warnings, and two of its errors,
# tell of GPUs that are not there.
LEVELS = {"E": logging.ERROR, "F": logging.CRITICAL}
HARMLESS = (
    "CudaDriverHelper has not been initialized",
    "unable to create stream for",  # of an ensemble, which does without
)
FROM_A_GRAPH = "[E:onnxruntime:"
"""How errors of ONNX Runtime in a worker begin, after the time and in colours."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class TritonOutput:
    """Reads what one process says, in a thread of its own, to the end.

    Attributes:
        complaints: the last of what it said in earnest.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.complaints: deque[str] = deque(maxlen=COMPLAINTS)
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    async def end(self) -> None:
        """Wait for the last line: it comes when all are gone that write to it."""
        await asyncio.to_thread(self._reader.join, LOG_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                text = _COLOURS.sub("", line).rstrip()
                stamped = text[1:5].isdigit()
                harmless = any(saying in text for saying in HARMLESS)
                serious = (stamped and text[0] in LEVELS and not harmless) or FROM_A_GRAPH in text
                log.log(LEVELS.get(text[:1], logging.ERROR) if serious else logging.DEBUG, "%s", text)
                # Lines without a stamp are tables, or sentences from Triton's main or the loader.
                if serious or (not stamped and text.lstrip()[:1].isalpha()):
                    self.complaints.append(text)
