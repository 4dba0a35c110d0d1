"""Graphs and packs are served together only where they agree."""

from dataclasses import replace

import numpy as np
import pytest

from relatent.core.graphs import PACK, REVISION
from relatent_service.engine.agreement import disagreements
from relatent_service.engine.engine import Graph, TensorSpec


def graphs(pack, **changes):
    """Those that serving the pack needs, as their configurations would describe them."""
    parameters = {PACK: pack.name, REVISION: pack.revision} | changes
    found = {name: Graph(name, 8, {}, {}, parameters) for name in pack.served}
    for method in pack.methods.values():
        inputs = ["target", "learning_rate", "steps", *method.inputs]
        inputs += [f"weight.{term}" for term in method.terms] + [f"state.{name}" for name in method.state]
        outputs = ["losses", *(f"next.{name}" for name in method.state)]
        spec = TensorSpec(np.dtype(np.float32), (1,))
        name = pack.graph(method.graph)
        found[name] = Graph(name, 8, dict.fromkeys(inputs, spec), dict.fromkeys(outputs, spec), parameters)
    return found


def test_graphs_that_agree_with_their_pack_are_no_problem(pack):
    assert disagreements([pack], graphs(pack)) == []


def test_missing_graphs_and_other_revisions_are_told_one_by_one(pack):
    found = graphs(pack, **{REVISION: "9" * 64})
    del found["tiny_map"]
    problems = disagreements([pack], found)
    assert len(problems) == len(pack.served)
    assert "graph tiny_map is missing" in problems
    assert f"graph tiny_refine has revision {'9' * 64}, its pack {pack.revision}" in problems


def test_a_graph_of_another_pack_is_told(pack):
    problems = disagreements([pack], graphs(pack, **{PACK: "other"}))
    assert len(problems) == len(pack.served)
    assert "graph tiny_refine is of pack other, expected tiny" in problems


@pytest.mark.parametrize(
    ("side", "name"), [("inputs", "gain"), ("inputs", "state.w"), ("outputs", "next.lowest")]
)
def test_a_graph_that_is_not_driven_as_its_method_says_is_told(pack, side, name):
    found = graphs(pack)
    graph = found["tiny_refine_momentum"]
    rest = {key: spec for key, spec in getattr(graph, side).items() if key != name}
    found["tiny_refine_momentum"] = replace(graph, **{side: rest})
    (problem,) = disagreements([pack], found)
    assert problem.startswith(f"graph tiny_refine_momentum has the {side} ")
    assert "method 'momentum'" in problem


def test_the_graph_that_reads_attributes_is_needed_where_a_pack_has_some(pack):
    found = graphs(pack)
    del found["tiny_attributes"]
    assert disagreements([pack], found) == ["graph tiny_attributes is missing"]
    without = replace(pack, attributes=(), controls=None)
    assert disagreements([without], found) == []


def test_texts_of_another_pair_than_the_graphs_are_told(worded_pack):
    model = worded_pack.text

    def text(context, width):
        tokens, vector = (
            TensorSpec(np.dtype(np.int64), (context,)),
            TensorSpec(np.dtype(np.float32), (width,)),
        )
        name = worded_pack.graph("text")
        parameters = {PACK: worded_pack.name, REVISION: worded_pack.revision}
        inputs = {"ids": tokens, "mask": tokens}
        return {name: Graph(name, 8, inputs, {"embedding": vector}, parameters)}

    def told(graph):
        return [each for each in disagreements([worded_pack], graph) if "sides" in each]

    assert told(text(model.context, model.width)) == []
    for other in (text(model.context + 1, model.width), text(model.context, model.width + 1)):
        (problem,) = told(other)
        assert problem.startswith("graph tiny_text has the sides ")
        assert problem.endswith("it is of another image-text pair")
