"""The backend `onnxruntime` for a Triton that has only the Python backend.

Triton's wheel lacks NVIDIA's library of that name. Put into a backend directory as `onnxruntime/model.py`,
this serves the same model repository, its `config.pbtxt` unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from relatent_service.engine.sessions import open_session

Arrays = dict[str, NDArray[Any]]


class TritonPythonModel:
    """One instance of a model: its ONNX Runtime session."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Leave the configuration as it is written."""
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Open the graph.

        Args:
            args: Triton's: the model's folder, version and whole configuration, among others.
        """
        config = json.loads(args["model_config"])
        file = config.get("default_model_filename") or "model.onnx"
        path = Path(args["model_repository"]) / args["model_version"] / file
        self._session = open_session(path)
        self._inputs = [value.name for value in self._session.get_inputs()]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests that Triton's dynamic batcher brought together, in one run of the graph.

        Never raises, as Triton asks: a request that cannot be served gets an error of its own.
        """
        responses: list[Any] = [None] * len(requests)
        readable: list[tuple[int, Arrays]] = []
        for place, request in enumerate(requests):
            if request.is_cancelled():
                responses[place] = _failure("the caller is gone", pb_utils.TritonError.CANCELLED)
                continue
            try:
                readable.append((place, self._read(request)))
            except Exception as error:
                responses[place] = _failure(str(error), pb_utils.TritonError.INVALID_ARG)
        for place, answer in self._run_all(readable):
            responses[place] = _respond(requests[place], answer)
        return responses

    def _read(self, request: Any) -> Arrays:
        tensors = {tensor.name(): tensor for tensor in request.inputs()}
        return {name: tensors[name].as_numpy() for name in self._inputs}

    def _run_all(self, jobs: list[tuple[int, Arrays]]) -> list[tuple[int, Arrays | Exception]]:
        """Run jobs together; when that fails, one by one, so that only the faulty one fails."""
        if not jobs:
            return []
        try:
            answers: list[Arrays | Exception] = [*self._run([arrays for _, arrays in jobs])]
        except Exception as error:
            if len(jobs) > 1:
                return [answer for job in jobs for answer in self._run_all([job])]
            answers = [error]
        return [(place, answer) for (place, _), answer in zip(jobs, answers, strict=True)]

    def _run(self, jobs: list[Arrays]) -> list[Arrays]:
        """Run jobs along the batch axis and take their answers apart again."""
        sizes = [len(arrays[self._inputs[0]]) for arrays in jobs]
        if len(jobs) == 1:
            merged = jobs[0]
        else:
            merged = {name: np.concatenate([arrays[name] for arrays in jobs]) for name in self._inputs}
        names = [value.name for value in self._session.get_outputs()]
        outputs = dict(zip(names, self._session.run(names, merged), strict=True))
        for name, output in outputs.items():
            if output.ndim == 0 or len(output) != sum(sizes):
                raise ValueError(
                    f"output {name}: expected {sum(sizes)} samples, got shape {list(output.shape)}"
                )
        ends = np.cumsum(sizes)
        return [
            {name: output[end - size : end] for name, output in outputs.items()}
            for size, end in zip(sizes, ends, strict=True)
        ]


def _respond(request: Any, answer: Arrays | Exception) -> Any:
    if isinstance(answer, Exception):
        return _failure(str(answer), pb_utils.TritonError.INVALID_ARG)
    try:
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.ascontiguousarray(answer[name]))
                for name in request.requested_output_names()
            ]
        )
    except Exception as error:
        return _failure(f"{type(error).__name__}: {error}", pb_utils.TritonError.INTERNAL)


def _failure(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
