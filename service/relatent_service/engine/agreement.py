"""Whether an engine's graphs are those that packs were made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relatent.core.graphs import PACK, REVISION, Role
from relatent.core.methods import OWN_INPUTS, Method
from relatent.core.pack import Pack
from relatent.core.spaces import PLAIN
from relatent_service.engine.engine import Graph


def disagreements(packs: Iterable[Pack], graphs: Mapping[str, Graph]) -> list[str]:
    """What keeps packs and graphs from being served together, in sentences; empty if nothing."""
    problems = []
    for pack in packs:
        for name in pack.served:
            if name not in graphs:
                problems.append(f"graph {name} is missing")
                continue
            parameters = graphs[name].parameters
            revision = parameters.get(REVISION, "none")
            if revision != pack.revision:
                problems.append(f"graph {name} has revision {revision}, its pack {pack.revision}")
            if parameters.get(PACK) != pack.name:
                problems.append(f"graph {name} is of pack {parameters.get(PACK)}, expected {pack.name}")
        for method in pack.methods.values():
            if method.graph is not None and (graph := graphs.get(pack.graph(method.graph))) is not None:
                problems += _differences(method, graph)
        problems += _text_differences(pack, graphs)
        for space, shape in pack.spaces.items():
            graph = graphs.get(pack.graph(shape.graph))
            if graph is not None and space not in PLAIN and set(graph.inputs) != set(shape.parts):
                problems.append(
                    f"graph {graph.name} has the inputs {', '.join(sorted(graph.inputs))}, and a code of "
                    f"{space} of its pack {', '.join(sorted(shape.parts))}"
                )
    return problems


def _text_differences(pack: Pack, graphs: Mapping[str, Graph]) -> list[str]:
    """How the graph of a pack's texts differs from what the pack knows of them."""
    graph = graphs.get(pack.graph(Role.TEXT))
    if pack.text is None or graph is None:
        return []
    specs = {**graph.inputs, **graph.outputs}
    wanted = {"ids": pack.text.context, "mask": pack.text.context, "embedding": pack.text.width}
    got = {name: spec.shape[-1] for name, spec in specs.items()}
    if got == wanted:
        return []
    return [
        f"graph {graph.name} has the sides {_sides(got)}, and the texts of its pack {_sides(wanted)}: it is "
        "of another image-text pair"
    ]


def _sides(sides: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {side}" for name, side in sorted(sides.items()))


def _differences(method: Method, graph: Graph) -> list[str]:
    """How what a refinement graph takes and gives differs from what its method says."""
    inputs = {*OWN_INPUTS, *method.inputs, *(f"weight.{term}" for term in method.terms)}
    inputs |= {f"state.{name}" for name in method.state}
    outputs = {"losses", *(f"next.{name}" for name in method.state)}
    return [
        f"graph {graph.name} has the {what} {', '.join(sorted(got))}, "
        f"and method {method.name!r} of its pack {', '.join(sorted(wanted))}"
        for what, got, wanted in (
            ("inputs", set(graph.inputs), inputs),
            ("outputs", set(graph.outputs), outputs),
        )
        if got != wanted
    ]
