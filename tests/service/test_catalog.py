from dataclasses import replace

import numpy as np
import pytest

from relatent.core.graphs import PACK, REVISION
from relatent_service.catalog import ServedPacks, disagreements, find_direction, find_method, shown
from relatent_service.engine.engine import Graph, TensorSpec
from relatent_service.errors import InvalidField, UnknownName


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


def test_packs_are_found_by_name_and_the_only_one_without(pack):
    one = ServedPacks({"tiny": pack})
    assert one.pack("tiny", "pack") is one.pack("", "pack") is pack
    with pytest.raises(UnknownName, match="there are: tiny"):
        one.pack("big", "options.pack")
    two = ServedPacks({"tiny": pack, "big": replace(pack, name="big")})
    with pytest.raises(InvalidField, match="one of big, tiny"):
        two.pack("", "pack")


def test_directions_are_found_by_name(pack):
    assert find_direction(pack, "detail", "direction").name == "detail"
    with pytest.raises(UnknownName, match="brightness"):
        find_direction(pack, "age", "direction")


def test_graphs_that_agree_with_their_pack_are_no_problem(pack):
    assert disagreements([pack], graphs(pack)) == []


def test_missing_graphs_and_other_revisions_are_told_one_by_one(pack):
    found = graphs(pack, **{REVISION: "9" * 64})
    del found["tiny_map"]
    problems = disagreements([pack], found)
    assert len(problems) == 6
    assert "graph tiny_map is missing" in problems
    assert f"graph tiny_refine has revision {'9' * 64}, its pack {pack.revision}" in problems


def test_a_graph_of_another_pack_is_told(pack):
    problems = disagreements([pack], graphs(pack, **{PACK: "other"}))
    assert len(problems) == 6
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


def test_methods_are_found_by_name_and_the_default_without(pack):
    assert find_method(pack, "", "method").name == "hybrid"
    assert find_method(pack, "momentum", "method") is pack.methods["momentum"]
    with pytest.raises(UnknownName, match="hybrid, momentum"):
        find_method(pack, "lbfgs", "method")


def test_the_graph_that_no_call_needs_may_be_missing(pack):
    assert "tiny_attributes" not in graphs(pack)
    assert disagreements([pack], graphs(pack)) == []


@pytest.mark.parametrize("letter", ["x", "é", "🙂", "\n", "'"])
def test_a_long_text_is_quoted_in_part_and_in_ascii(letter):
    assert shown("short") == "'short'"
    assert len(shown(letter * 10_000)) < 70
    assert shown(letter * 10_000).isascii()
    assert shown(letter * 10_000).endswith(("...'", '..."'))
    assert shown(letter) == ascii(letter)
