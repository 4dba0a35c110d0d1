"""Edits by graphs that move codes, by models that keep a record: what is made, and what admission is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.code_edits import CodeEdit, CodeOperation, CodeOutOfRange, Reduction
from relatent.core.codes import Codes
from relatent.core.edits import DirectionMove, LearnedMove
from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent.core.targets import AttributeTarget, ReadingGoal
from relatent.core.text import TextMove, Tokens
from relatent_service.editing.canvas import NothingRelevant
from relatent_service.editing.region import Region
from relatent_service.editing.synthesizer import Images, Synthesizer
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot, Work
from tests.fixtures import texts, tiny
from tests.fixtures.requests import code

BRIGHTER = AttributeTarget((ReadingGoal(0, (0.02,), relative=True),), (), tolerance=0.01, max_rounds=3)
LEFT = Region.of(np.repeat([[255] * 4 + [0] * 4], 8, axis=0).astype(np.uint8), 0)


def tokens(text: str) -> Tokens:
    """A text that `Recording` can read again."""
    return Tokens(np.array([[*map(ord, text)]]), np.ones((1, len(text)), np.int64))


def towards(prompt: str, *strengths: float, beta: float = 0.2) -> TextMove:
    return TextMove(tokens("a person"), tokens(prompt), strengths or (1.0,), beta)


class Recording:
    """Models that do as the graphs of `tests.fixtures.texts`, and keep a record of it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    async def embed(self, pack: Pack, given: Any, call: Call) -> NDArray[Any]:
        self.done.append(("text", len(given)))
        return np.stack([texts.embedded("".join(map(chr, each.ids[0]))) for each in given])

    async def move(self, pack: Pack, direction: str, w: Any, strengths: Any, call: Call) -> NDArray[Any]:
        assert strengths.shape == (len(w),)
        self.done.append((f"move_{direction}", len(w)))
        with np.errstate(over="ignore"):
            return np.asarray(w * (1 + 0.5 * strengths[:, None, None]), np.float32)

    async def synthesize(self, pack: Pack, codes: Codes, call: Call) -> NDArray[np.uint8]:
        self.done.append((pack.spaces[codes.space].graph, len(codes)))
        styles = codes.parts.get("styles", np.zeros((len(codes), texts.CHANNELS)))
        return texts.generate_styled(codes.w, styles)

    async def read(self, pack: Pack, codes: Codes, call: Call) -> Any:
        pixels = await self.synthesize(pack, codes, call)
        self.done[-1] = (pack.spaces[codes.space].read_graph, len(codes))
        return pixels, tiny.readings(pixels).astype(np.float32)

    async def attributes(self, pack: Pack, pixels: Any, call: Call) -> Any:
        self.done.append(("attributes", len(pixels)))
        return tiny.readings(pixels).astype(np.float32)


class Counting:
    """An admission that lets in whoever comes, and counts what was asked and what was done."""

    def __init__(self) -> None:
        self.asked = Work({})
        self.done = Counter[str]()

    @asynccontextmanager
    async def slot(self, work: Work, call: Call) -> AsyncIterator[Slot]:
        self.asked = work
        yield Slot(work, call, dict(work.runs))

    def advance(self, slot: Slot, graph: str, runs: int) -> None:
        self.done[graph] += runs


class Edited:
    """An edit of one code, and what it took."""

    def __init__(self) -> None:
        self.models, self.admission = Recording(), Counting()

    async def __call__(
        self, pack: Pack, start: Codes, *operations: CodeOperation, region: Region | None = None
    ) -> Images:
        made: Any = Synthesizer(self.models, self.admission)  # type: ignore[arg-type]
        found: Images = await made.edit(pack, start, CodeEdit(operations), Call(), region)
        return found

    def asked(self) -> dict[str, int]:
        return {name.removeprefix("tiny_"): runs for name, runs in self.admission.asked.runs.items()}


@pytest.fixture
def edited() -> Edited:
    return Edited()


def plain() -> Codes:
    return Codes.plain(code(1)[None])


def styled() -> Codes:
    styles = np.random.default_rng(3).normal(scale=0.1, size=(1, texts.CHANNELS)).astype(np.float32)
    return Codes(Space.STYLE, {"w": code(1)[None], "styles": styles})


@pytest.fixture
def grow(worded_pack: Pack) -> LearnedMove:
    return LearnedMove(worded_pack.directions["grow"], (1.0,))


@pytest.mark.parametrize("start", [plain(), styled()], ids=["w+", "s"])
async def test_a_text_moves_styles_by_its_change_and_leaves_w(
    edited: Edited, worded_pack: Pack, start: Codes
) -> None:
    found = await edited(worded_pack, start, towards("a smiling person", -1.0, 0.0, 2.0))
    assert worded_pack.text is not None
    neutral, prompt = (texts.embedded(each).astype(np.float32) for each in ("a person", "a smiling person"))
    change = worded_pack.text.change(neutral, prompt, 0.2)
    assert change.any()
    before = start.parts.get("styles", np.zeros((1, texts.CHANNELS)))
    assert found.codes.space is Space.STYLE
    np.testing.assert_array_equal(found.codes.w, np.repeat(start.w, 3, axis=0))
    expected = before + np.array([[-1], [0], [2]]) * change
    np.testing.assert_allclose(found.codes.parts["styles"], expected, atol=1e-6)
    np.testing.assert_array_equal(found.pixels, texts.generate_styled(found.codes.w, expected))
    assert edited.models.done == [("text", 2), ("synthesize_style", 3)]


async def test_codes_of_a_strip_are_moved_alike_by_a_text_after_it(edited: Edited, worded_pack: Pack) -> None:
    strip = DirectionMove(worded_pack.directions["channel"], (0.0, 1.0))
    found = await edited(worded_pack, plain(), strip, towards("old"))
    first, second = found.codes.parts["styles"]
    np.testing.assert_allclose(second - first, texts.CHANNEL_LENGTH * texts.CHANNEL[0], atol=1e-6)


async def test_a_learned_direction_moves_each_code_by_each_strength_and_carries_the_rest(
    edited: Edited, worded_pack: Pack, grow: LearnedMove
) -> None:
    strip = LearnedMove(grow.direction, (-1.0, 0.0, 2.0))
    found = await edited(worded_pack, styled(), strip)
    shares = np.array([0.5, 1, 2])[:, None, None]
    np.testing.assert_allclose(found.codes.w, shares * code(1), atol=1e-6)
    np.testing.assert_array_equal(found.codes.parts["styles"], np.repeat(styled().parts["styles"], 3, axis=0))
    assert edited.models.done == [("move_grow", 3), ("synthesize_style", 3)]


async def test_a_learned_direction_moves_every_code_of_a_strip_before_it(
    edited: Edited, worded_pack: Pack, grow: LearnedMove
) -> None:
    strip = DirectionMove(worded_pack.directions["detail"], (0.0, 1.0))
    found = await edited(worded_pack, plain(), strip, grow)
    before = CodeEdit((strip,)).apply(plain())
    np.testing.assert_allclose(found.codes.w, 1.5 * before.w, atol=1e-6)


async def test_a_target_after_a_text_is_read_of_codes_of_s(edited: Edited, worded_pack: Pack) -> None:
    found = await edited(worded_pack, plain(), towards("old"), BRIGHTER)
    assert found.codes.space is Space.STYLE
    graphs = {graph for graph, _ in edited.models.done}
    assert graphs == {"text", "read_style"}
    ((outcome,),) = found.outcomes
    assert outcome.reached[0] == pytest.approx(tiny.readings(found.pixels)[0, 0], abs=1e-6)


async def test_an_edit_asks_for_all_that_it_does_and_no_more(
    edited: Edited, worded_pack: Pack, grow: LearnedMove
) -> None:
    channel = DirectionMove(worded_pack.directions["channel"], (1.0,))
    strip = (channel, towards("old", 0.0, 1.0), grow, towards("a smiling person"))
    for start, region, operations, work in (
        (plain(), None, [towards("old")], {"text": 2, "synthesize_style": 1}),
        (plain(), None, [grow], {"move_grow": 1, "synthesize": 1}),
        (plain(), None, [channel], {"synthesize_style": 1}),
        (styled(), None, [towards("old"), Reduction()], {"text": 2, "synthesize": 1}),
        (plain(), None, strip, {"text": 4, "move_grow": 2, "synthesize_style": 2}),
        (plain(), None, [grow, towards("old", 0.0, 1.0)], {"move_grow": 1, "text": 2, "synthesize_style": 2}),
        (plain(), LEFT, [towards("old", 0, 1)], {"text": 2, "synthesize_style": 2, "synthesize": 1}),
        (styled(), LEFT, [grow], {"move_grow": 1, "synthesize_style": 2}),
    ):
        edited = Edited()
        await edited(worded_pack, start, *operations, region=region)
        assert edited.admission.asked.least is None
        assert edited.asked() == work
        assert edited.admission.done == edited.admission.asked.runs


@pytest.mark.parametrize("region", [None, LEFT], ids=["whole", "region"])
async def test_an_edit_with_a_target_asks_for_as_much_as_it_may_do_and_at_least_for_one_round(
    edited: Edited, worded_pack: Pack, grow: LearnedMove, region: Region | None
) -> None:
    await edited(worded_pack, plain(), grow, towards("old"), BRIGHTER, region=region)
    work = {"move_grow": 1, "text": 2}
    if region is None:
        most, least = work | {"read_style": 4}, work | {"read_style": 2}
    else:
        made = {"synthesize_style": 4, "attributes": 4, "synthesize": 1}
        most, least = work | made, work | {name: min(2, runs) for name, runs in made.items()}
    assert edited.asked() == most
    asked = edited.admission.asked
    assert asked.least == {f"tiny_{name}": runs for name, runs in least.items()}
    assert all(runs <= asked.runs[name] for name, runs in edited.admission.done.items())


async def test_within_a_region_an_edit_by_a_text_changes_nothing_without(
    edited: Edited, worded_pack: Pack
) -> None:
    found = await edited(worded_pack, plain(), towards("old", 3.0), region=LEFT)
    before = tiny.generate(code(1)[None])[0]
    np.testing.assert_array_equal(found.pixels[0, :, 4:], before[:, 4:])
    assert (found.pixels[0, :, :4] != before[:, :4]).any()
    assert found.border_errors is not None


async def test_a_text_that_no_channel_is_as_relevant_to_is_told(edited: Edited, worded_pack: Pack) -> None:
    irrelevant = towards("smiling", beta=0.9)
    with pytest.raises(NothingRelevant, match=r"relevance of 0\.9 or more") as caught:
        await edited(worded_pack, plain(), towards("old"), irrelevant)
    assert caught.value.move is irrelevant


async def test_a_move_out_of_the_range_of_float32_is_told_by_its_place(
    edited: Edited, worded_pack: Pack, grow: LearnedMove
) -> None:
    far, away = LearnedMove(grow.direction, (3e38,)), towards("old", 3e38)
    for operations, place in (((away, far, grow, far), 3), ((grow, away, away), 2)):
        with pytest.raises(CodeOutOfRange) as caught:
            await edited(worded_pack, plain(), *operations)
        assert caught.value.index == place
