"""ONNX Runtime sessions, opened alike in process and inside Triton."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from relatent_service.engine.cores import available_cores
from relatent_service.engine.engine import Array


class Opened(Protocol):
    """What is used of ONNX Runtime's session."""

    def get_inputs(self) -> Sequence[Any]:
        """What it takes."""

    def get_outputs(self) -> Sequence[Any]:
        """What it answers."""

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Array], options: Any) -> Sequence[Array]:
        """The outputs of these names."""


SHORT_SECONDS = 0.01
"""Of a core's time: a sample that takes no more is not worth a second core's, which would save a few
milliseconds of it and hold up whatever that core does meanwhile."""


class BatchSession:
    """A graph whose samples are dealt out to the cores; what is left over, they compute together.

    Cores that compute one run wait for each other at every operator, and do so spinning. So a core that is
    called away for a moment, by an edit or by a service's own work, holds up all of them. With samples of its
    own none waits for another. On two cores two refinements at a time went 1.16 times as fast by it, and
    1.5 times beside 40 edits a second; one alone is 1.4 times as fast where both compute it.

    Args:
        together: the graph, opened for all cores.
        alone: the same for one; None where there is but one.
        cores: how many there are.
    """

    def __init__(self, together: Opened, alone: Opened | None, cores: int) -> None:
        self._together, self._alone, self._cores = together, alone, cores
        self._least = math.inf
        """Seconds of a core's time that a sample took, at least."""
        self._others = ThreadPoolExecutor(max(1, cores - 1), thread_name_prefix="core")
        """All cores but that of the thread that asks; started when there is something to deal out."""

    def get_inputs(self) -> Sequence[Any]:
        """ONNX Runtime's own."""
        return self._together.get_inputs()

    def get_outputs(self) -> Sequence[Any]:
        """ONNX Runtime's own."""
        return self._together.get_outputs()

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, Array], options: Any = None
    ) -> Sequence[Array]:
        """The outputs of these names, or all, of samples along the first axis of every input and output.

        Args:
            names: of outputs.
            inputs: by name.
            options: of every run that it takes.

        Raises:
            Exception: ONNX Runtime's own.
        """
        batch = min((len(array) for array in inputs.values()), default=0)
        share = batch // self._cores
        if self._alone is None or share == 0:
            return self._run_few(names, inputs, batch, options)
        dealt = share * self._cores
        parts = [_part(inputs, first, first + share) for first in range(0, dealt, share)]
        runs = [self._others.submit(self._alone.run, names, part, options) for part in parts[1:]]
        try:
            answers = [self._alone.run(names, parts[0], options)]
        finally:
            wait(runs)
        answers += [run.result() for run in runs]
        if dealt < batch:
            left = _part(inputs, dealt, batch)
            answers.append(self._run_few(names, left, batch - dealt, options))
        return [np.concatenate(pieces) for pieces in zip(*answers, strict=True)]

    def _run_few(
        self, names: Sequence[str] | None, inputs: Mapping[str, Array], batch: int, options: Any
    ) -> Sequence[Array]:
        """Run fewer samples than there are cores, on all of them or, where that is as good, on one."""
        session, cores = self._together, self._cores
        if self._alone is not None and self._least <= SHORT_SECONDS:
            session, cores = self._alone, 1
        began = time.perf_counter()
        outputs = session.run(names, dict(inputs), options)
        self._least = min(self._least, (time.perf_counter() - began) * cores / max(1, batch))
        return outputs


def open_session(model: Path | bytes) -> BatchSession:
    """Open an ONNX file, or the bytes of one, for the cores that this process may use.

    Raises:
        Exception: ONNX Runtime's own, when the file cannot be read or run.
    """
    cores = available_cores()
    return BatchSession(open_for_cores(model, cores), open_for_cores(model, 1) if cores > 1 else None, cores)


def open_for_cores(model: Path | bytes, cores: int) -> Opened:
    """Open an ONNX file, or the bytes of one, for so many cores that compute each run together.

    Raises:
        Exception: ONNX Runtime's own, when the file cannot be read or run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = cores
    options.inter_op_num_threads = 1
    # Every graph has a pool of its own. Within a run its threads may spin for the next operator; left
    # to spin after it, the idle pools would take the cores from the busy one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session: Opened = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session


def _part(inputs: Mapping[str, Array], begin: int, end: int) -> dict[str, Array]:
    return {name: array[begin:end] for name, array in inputs.items()}
