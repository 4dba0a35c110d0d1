from dataclasses import replace

import pytest

from relatent_service.catalog import Catalog, disagreements, find_direction, shown
from relatent_service.engine.engine import Graph
from relatent_service.errors import InvalidField, UnknownName

KINDS = ("encode", "map", "synthesize", "refine", "assess")


def graphs(pack, **changes):
    parameters = {"relatent.pack": pack.name, "relatent.revision": pack.revision} | changes
    return {f"{pack.name}_{kind}": Graph(f"{pack.name}_{kind}", 8, {}, {}, parameters) for kind in KINDS}


def test_packs_are_found_by_name_and_the_only_one_without(pack):
    one = Catalog({"tiny": pack})
    assert one.pack("tiny", "pack") is one.pack("", "pack") is pack
    with pytest.raises(UnknownName, match="there are: tiny"):
        one.pack("big", "options.pack")
    two = Catalog({"tiny": pack, "big": replace(pack, name="big")})
    with pytest.raises(InvalidField, match="one of big, tiny"):
        two.pack("", "pack")


def test_directions_are_found_by_name(pack):
    assert find_direction(pack, "detail", "direction").name == "detail"
    with pytest.raises(UnknownName, match="brightness"):
        find_direction(pack, "age", "direction")


def test_graphs_that_agree_with_their_pack_are_no_problem(pack):
    assert disagreements([pack], graphs(pack)) == []


def test_missing_graphs_and_other_revisions_are_told_one_by_one(pack):
    found = graphs(pack, **{"relatent.revision": "9" * 64})
    del found["tiny_map"]
    problems = disagreements([pack], found)
    assert len(problems) == 5
    assert "graph tiny_map is missing" in problems
    assert f"graph tiny_refine has revision {'9' * 64}, its pack {pack.revision}" in problems


def test_a_graph_of_another_pack_is_told(pack):
    problems = disagreements([pack], graphs(pack, **{"relatent.pack": "other"}))
    assert len(problems) == 5
    assert "graph tiny_refine is of pack other, expected tiny" in problems


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
