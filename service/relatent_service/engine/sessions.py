"""ONNX Runtime sessions, opened alike in process and inside Triton."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from relatent_service.engine.batches import Arrays, part
from relatent_service.engine.core_times import CoreTimes
from relatent_service.engine.cores import available_cores
from relatent_service.engine.engine import Array
from relatent_service.engine.halves import can_be_halved, jobs_of_two
from relatent_service.engine.runs import runs_of


class Opened(Protocol):
    """What is used of ONNX Runtime's session."""

    def get_inputs(self) -> Sequence[Any]:
        """What it takes."""

    def get_outputs(self) -> Sequence[Any]:
        """What it answers."""

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Array], options: Any) -> Sequence[Array]:
        """The outputs of these names."""


class BatchSession:
    """A graph whose samples are dealt out to the cores, as many to each.

    Cores that compute one run wait for each other at every operator, and do so spinning. So a core that is
    called away for a moment, by an edit or by a service's own work, holds up all of them. With samples of its
    own none waits for another. On two cores two refinements at a time went 1.16 times as fast by it, and
    1.5 times beside 40 edits a second; one alone is 1.4 times as fast where both compute it.

    Of a refinement that is left over, two cores do half of the steps each, if that gives all of them as much
    to do. What else is left over, all cores compute together, or a core each of its samples, whichever is
    sooner done (`relatent_service.engine.core_times`).

    Args:
        together: the graph, opened for all cores.
        alone: the same for one; None where there is but one.
        cores: how many there are.
    """

    def __init__(self, together: Opened, alone: Opened | None, cores: int) -> None:
        self._together, self._alone = together, alone or together
        self._cores = 1 if alone is None else cores
        self._times = CoreTimes(self._cores)
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
        if self._cores == 1 or not batch:
            return self._together.run(names, dict(inputs), options)
        everything = [output.name for output in self.get_outputs()]
        run = partial(self._run_alone, everything, options)
        share, left = divmod(batch, self._cores)
        rest = part(inputs, batch - left, batch)
        if share and 2 * left == self._cores and can_be_halved(rest):
            pairs = [part(inputs, first, first + 2 * share + 1) for first in range(0, batch, 2 * share + 1)]
            answers = self._deal([job for pair in pairs for job in jobs_of_two(pair, run)])
        else:
            shares = [part(inputs, first, first + share) for first in range(0, batch - left, max(1, share))]
            answers = self._deal([partial(run, each) for each in shares])
            answers += self._run_few(rest, left, everything, options) if left else []
        return [np.concatenate([answer[name] for answer in answers]) for name in names or everything]

    def _run_few(self, few: Arrays, samples: int, names: Sequence[str], options: Any) -> list[Arrays]:
        """Run fewer samples than there are cores."""
        runs = runs_of(few)
        if not self._times.are_all_worth(samples, runs):
            each = [part(few, sample, sample + 1) for sample in range(samples)]
            return self._deal([partial(self._run_alone, names, options, sample) for sample in each])
        began = time.perf_counter()
        answers = self._together.run(names, few, options)
        self._times.by_all(runs, time.perf_counter() - began)
        return [dict(zip(names, answers, strict=True))]

    def _run_alone(self, names: Sequence[str], options: Any, inputs: Arrays) -> Arrays:
        """Run samples on the core of this thread."""
        began = time.perf_counter()
        answers = self._alone.run(names, inputs, options)
        self._times.by_one(runs_of(inputs), time.perf_counter() - began)
        return dict(zip(names, answers, strict=True))

    def _deal(self, jobs: Sequence[Callable[[], Arrays]]) -> list[Arrays]:
        """What the cores answer that have a job each, once all of them are done."""
        others = [self._others.submit(job) for job in jobs[1:]]
        try:
            answers = [job() for job in jobs[:1]]
        finally:
            wait(others)
        return answers + [other.result() for other in others]


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
