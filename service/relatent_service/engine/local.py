"""Graphs in this process, through ONNX Runtime.

For machines that have no Triton, and for fast tests. Calls are not batched with each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import onnxruntime as ort
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from relatent_service.engine.chains import Chain, Session
from relatent_service.engine.engine import (
    Answer,
    Array,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
)
from relatent_service.engine.graphs import check_inputs, find_graph, graph_of
from relatent_service.engine.sessions import BatchSession, open_session
from relatent_service.engine.warming import warmup_sample

THREADS = 2
"""Most runs use every core; a second one fills the gaps of the first."""
ONLY_FATAL = 4


class LocalEngine:
    """Runs the graphs of a model repository in this process.

    Args:
        repository: the folder of a Triton model repository.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._graphs: dict[str, Graph] = {}
        self._sessions: dict[str, Session] = {}
        self._threads = _new_threads()

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self._graphs

    async def start(self) -> None:
        """Open every graph, and run each once: its first run takes longer than any after it.

        Raises:
            EngineUnavailable: there is none, or one cannot be opened or run.
        """
        loop = asyncio.get_running_loop()
        self._graphs, self._sessions = await loop.run_in_executor(self._threads, _open_all, self._repository)

    async def healthy(self) -> bool:
        """Whether the graphs are open."""
        return bool(self._sessions)

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`. Cancelling the call ends the run between two operators."""
        check_inputs(find_graph(self._graphs, graph), inputs)
        names = list(self._graphs[graph].outputs)
        options = ort.RunOptions()
        options.log_severity_level = ONLY_FATAL
        run = asyncio.get_running_loop().run_in_executor(
            self._threads, self._sessions[graph].run, names, dict(inputs), options
        )
        began = monotonic()
        try:
            outputs = await asyncio.wait_for(run, timeout)
        except TimeoutError as error:
            raise EngineTimedOut(f"{graph}: no answer within {timeout:.3f} s") from error
        except Exception as error:  # ONNX Runtime's exceptions share no narrower class
            raise EngineRejected(f"{graph}: {error}") from error
        finally:
            options.terminate = True
        return Answer(dict(zip(names, outputs, strict=True)), monotonic() - began)

    async def stop(self) -> None:
        """Close every graph, after the runs that go on."""
        self._graphs, self._sessions = {}, {}
        threads, self._threads = self._threads, _new_threads()
        await asyncio.to_thread(threads.shutdown)


def _new_threads() -> ThreadPoolExecutor:
    """The threads that run graphs; none is started before it has something to do."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="onnxruntime")


def _open_all(repository: Path) -> tuple[dict[str, Graph], dict[str, Session]]:
    graphs: dict[str, Graph] = {}
    sessions: dict[str, Session] = {}
    configs = {path.parent: _read_config(path) for path in sorted(repository.glob("*/config.pbtxt"))}
    # Ensembles last: they run the others.
    for folder, config in sorted(configs.items(), key=lambda item: item[1].HasField("ensemble_scheduling")):
        graph = graph_of(config)
        if graph is not None:
            graphs[graph.name] = graph
            if config.HasField("ensemble_scheduling"):
                sessions[graph.name] = Chain(config, sessions)
            else:
                sessions[graph.name] = _open(folder / "1" / "model.onnx", graph)
            _warm_up(sessions[graph.name], graph, warmup_sample(config, graph, folder))
    if not graphs:
        raise EngineUnavailable(f"{repository}: expected at least one graph of a pack")
    return graphs, sessions


def _read_config(path: Path) -> model_config_pb2.ModelConfig:
    try:
        config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise EngineUnavailable(f"{path}: not a model configuration: {error}") from error
    config.name = path.parent.name
    return config


def _open(path: Path, graph: Graph) -> BatchSession:
    if not path.is_file():
        raise EngineUnavailable(f"{path}: no such file")
    try:
        session = open_session(path)
    except Exception as error:  # ONNX Runtime's exceptions share no narrower class
        raise EngineUnavailable(f"{path}: {error}") from error
    for kind, configured, values in (
        ("inputs", graph.inputs, session.get_inputs()),
        ("outputs", graph.outputs, session.get_outputs()),
    ):
        if configured.keys() != {value.name for value in values}:
            raise EngineUnavailable(
                f"{path}: {kind}: expected {sorted(configured)} as configured, "
                f"got {sorted(value.name for value in values)}"
            )
    return session


def _warm_up(session: Session, graph: Graph, sample: Mapping[str, Array]) -> None:
    """Run a graph once, as Triton does before it calls a model ready."""
    try:
        session.run(list(graph.outputs), dict(sample))
    except Exception as error:  # ONNX Runtime's exceptions share no narrower class
        raise EngineUnavailable(f"{graph.name}: cannot be run: {error}") from error
