"""What became of targets, as messages: values in the units that people use."""

from __future__ import annotations

from relatent.core.code_edits import CodeEdit
from relatent.core.pack import Pack
from relatent.core.targets import AttributePart, AttributeTarget, End, SearchOutcome
from relatent.v1 import editing_pb2
from relatent_service.editing.synthesizer import Images

_ENDS = {
    End.REACHED: editing_pb2.TARGET_END_REACHED,
    End.RANGE: editing_pb2.TARGET_END_RANGE,
    End.STALLED: editing_pb2.TARGET_END_STALLED,
    End.ROUNDS: editing_pb2.TARGET_END_ROUNDS,
    End.TIME_BUDGET: editing_pb2.TARGET_END_TIME_BUDGET,
    End.DEADLINE: editing_pb2.TARGET_END_DEADLINE,
}
_PARTS = {
    AttributePart.ASKED: editing_pb2.ATTRIBUTE_ROLE_ASKED,
    AttributePart.HELD: editing_pb2.ATTRIBUTE_ROLE_HELD,
    AttributePart.FREE: editing_pb2.ATTRIBUTE_ROLE_FREE,
}


def outcome_messages(made: Images, edit: CodeEdit, index: int) -> list[editing_pb2.TargetOutcome]:
    """What became of each target of an edit, for its image at a place."""
    places = [place for place, each in enumerate(edit.operations) if isinstance(each, AttributeTarget)]
    return [
        _message(made.pack, target, outcomes[min(index, len(outcomes) - 1)], place)
        for place, target, outcomes in zip(places, edit.targets, made.outcomes, strict=True)
    ]


def _message(
    pack: Pack, target: AttributeTarget, outcome: SearchOutcome, place: int
) -> editing_pb2.TargetOutcome:
    return editing_pb2.TargetOutcome(
        operation=place,
        rounds=outcome.rounds,
        end=_ENDS[outcome.end],
        attributes=[
            editing_pb2.AttributeOutcome(
                attribute=attribute.name,
                role=_PARTS[target.part(index)],
                before=attribute.value(float(outcome.before[index])),
                asked=attribute.value(float(outcome.asked[index])),
                reached=attribute.value(float(outcome.reached[index])),
            )
            for index, attribute in enumerate(pack.attributes)
        ],
    )
