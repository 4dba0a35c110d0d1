"""Roles of graphs: which refine, and what they are called."""

from __future__ import annotations

import pytest

from relatent.core.graphs import Role, graph_name, is_refinement, move_role


@pytest.mark.parametrize("role", ["refine", "refine_text", "refine_feature", "moved", "texts"])
def test_a_methods_graph_refines(role: str) -> None:
    assert is_refinement(role)


@pytest.mark.parametrize("role", [*Role, "text", "synthesize_style", "read_style", "move_smile", "move_text"])
def test_no_other_graph_does(role: str) -> None:
    assert not is_refinement(role)


def test_a_learned_direction_has_a_graph_of_its_own_name() -> None:
    assert graph_name("faces", move_role("old_mapper")) == "faces_move_old_mapper"
