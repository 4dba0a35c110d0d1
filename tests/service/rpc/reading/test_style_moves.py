"""Moves along directions of S and learned ones: what has no meaning for them is refused by its field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from relatent.core.edits import DirectionMove, LearnedMove
from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent.v1 import editing_pb2 as v1
from relatent_service.errors import InvalidField
from relatent_service.rpc.reading.moves import read_move

FIELD = "operations[0].direction"
LAYERS = v1.LayerRange(first=0, last=1)
ABSOLUTE = v1.STRENGTH_MODE_ABSOLUTE


def read(pack: Pack, name: str, *strengths: float, **fields: Any) -> DirectionMove | LearnedMove:
    move = v1.DirectionMove(direction=name, strengths=strengths or (1.0,), **fields)
    return read_move(pack, move, 3, FIELD)


def test_a_direction_of_s_moves_styles_and_keeps_others_of_s(worded_pack: Pack) -> None:
    move = read(worded_pack, "channel", -1, 2, mode=v1.STRENGTH_MODE_RELATIVE)
    assert isinstance(move, DirectionMove)
    assert (move.direction.space, move.strip, move.conditions) == (Space.STYLE, (-1.0, 2.0), ())
    kept = read(worded_pack, "channel", 1, conditions=["both"])
    assert isinstance(kept, DirectionMove)
    way = kept.apply(np.zeros((1, 1, 4), np.float32))[0, 0]
    assert way @ worded_pack.directions["both"].vector[0] == pytest.approx(0, abs=1e-6)
    assert way @ worded_pack.directions["channel"].vector[0] == pytest.approx(0.75)


def test_a_learned_direction_is_moved_along_by_its_graph(worded_pack: Pack) -> None:
    move = read(worded_pack, "grow", 0, 0.5)
    assert move == LearnedMove(worded_pack.directions["grow"], (0.0, 0.5))


@pytest.mark.parametrize(
    ("name", "fields", "where", "says"),
    [
        ("channel", {"layers": LAYERS}, "layers", "expected none: a direction of S moves no single layers"),
        ("grow", {"layers": LAYERS}, "layers", "expected none: a learned direction moves no single layers"),
        ("channel", {"mode": ABSOLUTE}, "mode", "expected RELATIVE (1): a direction of S has no boundary"),
        ("grow", {"mode": ABSOLUTE}, "mode", "expected RELATIVE (1): a learned direction has no boundary"),
        ("channel", {"mode": 9}, "mode", "expected RELATIVE (1)"),
        ("grow", {"mode": 9}, "mode", "expected RELATIVE (1)"),
        (
            "channel",
            {"conditions": ["both", "redness"]},
            "conditions[1]",
            "expected a direction of S; 'redness' is of W+",
        ),
        ("redness", {"conditions": ["channel"]}, "conditions[0]", "W or W+; 'channel' is of S"),
        ("channel", {"conditions": ["grow"]}, "conditions[0]", "expected a direction of S; 'grow' is of W+"),
        (
            "redness",
            {"conditions": ["detail", "grow"]},
            "conditions[1]",
            "expected a direction that has a vector; 'grow' is a learned one",
        ),
        ("grow", {"conditions": ["redness"]}, "conditions", "a learned direction has no vector"),
        ("channel", {"conditions": ["channel"]}, "conditions", "in S it lies within the span of channel"),
        ("channel", {"strengths": [1, 2, 3, 4]}, "strengths", "expected 1 to 3 numbers, got 4"),
        ("grow", {"strengths": [np.nan]}, "strengths[0]", "expected a finite number, got nan"),
    ],
)
def test_a_wrong_move_is_refused_by_its_field(
    worded_pack: Pack, name: str, fields: dict[str, Any], where: str, says: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        read_move(
            worded_pack, v1.DirectionMove(**{"direction": name, "strengths": [1.0], **fields}), 3, FIELD
        )
    assert caught.value.field == f"{FIELD}.{where}"
    assert says in str(caught.value)
