"""What cannot be restored, or not be told from what can, is refused by its field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.degradation import GREY
from relatent.core.pack import Pack, read_pack
from relatent.core.restoration import DEFAULTS, RestorationDefaults, RestorationPreset
from relatent.v1 import inversion_pb2, restoration_pb2, types_pb2
from relatent.v1 import restoration_pb2 as v1
from relatent_service.catalog import ServedPacks
from relatent_service.errors import InvalidField
from relatent_service.inversion.refinement import starting_at
from relatent_service.rpc.messages import checkpoint_message
from relatent_service.rpc.reading import restoration
from relatent_service.rpc.reading.given import Given, decode_given
from relatent_service.rpc.reading.restoration import ParsedRestoration, read_restoration
from relatent_service.settings import read_settings
from tests.fixtures import tiny
from tests.fixtures.requests import code, encoded, latent

COLORIZE, UPSCALE, INPAINT, DENOISE = (
    v1.RESTORATION_PRESET_COLORIZE,
    v1.RESTORATION_PRESET_UPSCALE,
    v1.RESTORATION_PRESET_INPAINT,
    v1.RESTORATION_PRESET_DENOISE,
)
SETTINGS = read_settings([], {})
DEMO = read_pack(Path(__file__).parents[4] / "packs/demo")


def picture(pixels: Any) -> types_pb2.Image:
    return types_pb2.Image(data=encoded(pixels))


def grey(level: int, height: int = 8, width: int = 8) -> types_pb2.Image:
    return picture(np.full((height, width), level, np.uint8))


def half() -> types_pb2.Image:
    return picture(np.repeat([[255] * 4 + [0] * 4], 8, axis=0).astype(np.uint8))


def parse(pack: Pack, image: types_pb2.Image | None = None, **options: Any) -> ParsedRestoration:
    chosen = restoration_pb2.RestorationOptions(**options)
    return read_restoration(
        ServedPacks({"tiny": pack}), SETTINGS, image or picture(tiny.random_image(1)), chosen
    )


def given(pack: Pack, image: types_pb2.Image | None = None, **options: Any) -> Given:
    return decode_given(parse(pack, image, **options), SETTINGS.image_limits)


def degraded(**fields: Any) -> dict[str, Any]:
    return {"degradation": v1.Degradation(**fields)}


def fewer(**fields: int) -> dict[str, Any]:
    return degraded(resampling=v1.Resampling(**fields))


def coloured(matrix: NDArray[Any]) -> dict[str, Any]:
    return degraded(colour=matrix.reshape(-1).tolist())


def inverting(**fields: Any) -> dict[str, Any]:
    return {"preset": DENOISE, "inversion": inversion_pb2.InversionOptions(**fields)}


D, I = "options.degradation", "options.inversion"  # noqa: E741
TWICE = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0.0]])

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing to undo": ({}, D, "something to undo, or a preset"),
    "all of nothing": (degraded(blur=0.0), D, "something to undo, or a preset"),
    "an unknown preset": ({"preset": 9}, "options.preset", "expected one of colorize"),
    "no rows": (fewer(rows=0), f"{D}.resampling.rows", "from 1 to 16, got 0"),
    "no columns": (fewer(rows=2, columns=0), f"{D}.resampling.columns", "from 1 to 16, got 0"),
    "rows that do not divide": (fewer(rows=3), f"{D}.resampling.rows", "a divisor of 8 from 1 to 16, got 3"),
    "columns that do not": (fewer(rows=2, columns=5), f"{D}.resampling.columns", "a divisor of 8"),
    "times beyond 16": (fewer(columns=32), f"{D}.resampling.columns", "from 1 to 16, got 32"),
    "times of 2 ** 32 - 1": (fewer(rows=2**32 - 1), f"{D}.resampling.rows", "from 1 to 16"),
    "as many rows and columns": (fewer(rows=1, columns=1), f"{D}.resampling.rows", "more than 1"),
    "as many columns": (fewer(columns=1), f"{D}.resampling.columns", "more than 1"),
    "no times": (fewer(), f"{D}.resampling.rows", "1 to 16 here or in columns, got neither"),
    "a blur below 0": (degraded(blur=-0.5), f"{D}.blur", "expected 0 to 1 pixels, got -0.5"),
    "a blur of no number": (degraded(blur=np.nan), f"{D}.blur", "expected 0 to 1 pixels"),
    "a blur of all": (degraded(blur=np.inf), f"{D}.blur", "expected 0 to 1 pixels"),
    "a blur too wide": (degraded(blur=1.01), f"{D}.blur", "expected 0 to 1 pixels"),
    "eight numbers": (degraded(colour=[1.0] * 8), f"{D}.colour", "nine numbers, row by row, got 8"),
    "ten numbers": (degraded(colour=[1.0] * 10), f"{D}.colour", "nine numbers, row by row, got 10"),
    "no colours": (coloured(np.zeros((3, 3))), f"{D}.colour", "singular"),
    "two colours": (coloured(TWICE), f"{D}.colour", "singular"),
    "a dark grey": (coloured(GREY / 2000), f"{D}.colour", "singular"),
    "hardly a third colour": (coloured(np.diag([1, 1, 0.0009])), f"{D}.colour", "singular"),
    "next to no light": (coloured(np.eye(3) / 1001), f"{D}.colour", "singular"),
    "colours of no number": (coloured(np.full((3, 3), np.nan)), f"{D}.colour", "finite numbers"),
    "an infinite colour": (coloured(np.diag([1, np.inf, 1])), f"{D}.colour", "finite numbers"),
    "colours that overflow": (coloured(np.eye(3) * 101), f"{D}.colour", "numbers from -100 to 100"),
    "inpainting without a mask": ({"preset": INPAINT}, f"{D}.mask", "says what is known, got none"),
    "a second mask": (
        inverting(refinement=inversion_pb2.Refinement(mask=half())),
        f"{I}.refinement.mask",
        "degradation.mask is it",
    ),
    "a preset of quality": (
        inverting(preset=types_pb2.PRESET_BEST),
        f"{I}.preset",
        "only some methods restore",
    ),
    "a score of the domain": (inverting(min_in_domain=0.1), f"{I}.min_in_domain", "expected none"),
    "a method that does not restore": (
        inverting(method="hybrid"),
        f"{I}.method",
        "a method that restores, got 'hybrid'",
    ),
    "a start that is none": (
        inverting(latent=latent(code(), pack="other")),
        f"{I}.latent.pack",
        "other",
    ),
    "too many steps": (
        inverting(refinement=inversion_pb2.Refinement(steps=2001)),
        f"{I}.refinement.steps",
        "2000",
    ),
}


@pytest.mark.parametrize(("options", "field", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_as_it_must_be_is_refused_before_any_pixel_is_looked_at(
    restoring_pack: Pack, options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        parse(restoring_pack, **options)
    assert caught.value.field == field
    assert says in caught.value.description


PIXELS_REFUSED: dict[str, tuple[types_pb2.Image | None, dict[str, Any], str, str]] = {
    "all known": (None, degraded(mask=grey(255)), f"{D}.mask", "white everywhere"),
    "known by halves of grey": (None, degraded(mask=grey(128)), f"{D}.mask", "white everywhere"),
    "nothing known": (None, degraded(mask=grey(0)), f"{D}.mask", "black everywhere"),
    "unknown by halves of grey": (None, degraded(mask=grey(127)), f"{D}.mask", "black everywhere"),
    "a mask of other proportions": (None, degraded(mask=grey(255, 8, 4)), f"{D}.mask", "8 x 8, got 4 x 8"),
    "an empty mask": (None, degraded(mask=types_pb2.Image()), f"{D}.mask.data", "expected"),
    "a mask that is no picture": (
        None,
        degraded(mask=types_pb2.Image(data=b"hello")),
        f"{D}.mask.data",
        "expected",
    ),
    "an image as large as the whole": (None, {"preset": UPSCALE}, "image", "1 to 7 pixels to upscale to 8"),
    "a larger one": (grey(7, 9, 20), {"preset": UPSCALE}, "image", "resampling says how much"),
    "an image that is not square": (
        grey(7, 4, 6),
        {"preset": UPSCALE, "inversion": inversion_pb2.InversionOptions(fit=types_pb2.FIT_REFUSE)},
        "image",
        "a square image with FIT_REFUSE, got 6 x 4",
    ),
    "one that is not as it was resampled": (
        grey(7, 8, 6),
        {
            **fewer(rows=2, columns=1),
            "inversion": inversion_pb2.InversionOptions(fit=types_pb2.FIT_REFUSE),
        },
        "image",
        "a square image, or one of 8 x 4, with FIT_REFUSE, got 6 x 8",
    ),
    "nothing lost that could be kept": (
        None,
        {"preset": DENOISE, "keep_known": True},
        "options.keep_known",
        "no pixel is lost",
    ),
}


@pytest.mark.parametrize(
    ("image", "options", "field", "says"), PIXELS_REFUSED.values(), ids=PIXELS_REFUSED.keys()
)
def test_pixels_that_are_not_as_they_must_be_are_refused(
    restoring_pack: Pack, image: types_pb2.Image | None, options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        given(restoring_pack, image, **options)
    assert caught.value.field == field
    assert says in caught.value.description


def test_reasons_are_stable(restoring_pack: Pack, pack: Pack) -> None:
    for refused, reason in (
        (lambda: parse(restoring_pack, **coloured(TWICE)), "SINGULAR"),
        (lambda: parse(restoring_pack, **coloured(np.full((3, 3), np.inf))), "NOT_FINITE"),
        (lambda: given(restoring_pack, preset=UPSCALE), "NOT_SMALLER"),
        (lambda: parse(pack, preset=DENOISE), "NO_RESTORATION"),
    ):
        with pytest.raises(InvalidField) as caught:
            refused()
        assert caught.value.reason == reason


def test_a_pack_that_does_not_restore_says_so_and_what_would(pack: Pack) -> None:
    with pytest.raises(InvalidField) as caught:
        parse(pack, preset=DENOISE)
    assert caught.value.field == "options.inversion.pack"
    assert "relatent-export methods" in caught.value.description
    with pytest.raises(InvalidField, match=r"options.inversion.method: .*got 'hybrid'"):
        parse(pack, **inverting(method="hybrid"))


def test_an_image_too_small_is_told_how_large_it_must_be(large_pack: Pack) -> None:
    """At 64 pixels, 4 are a sixteenth."""
    for side in (1, 3):
        with pytest.raises(InvalidField, match="a side of 4 to 63 pixels to upscale to 64, got"):
            given(large_pack, grey(9, side, side), preset=UPSCALE)


@pytest.fixture
def large_pack(restoring_pack: Pack) -> Pack:
    return replace(restoring_pack, resolution=64)


def test_a_checkpoint_is_of_the_method_that_restores(restoring_pack: Pack) -> None:
    other = checkpoint_message(restoring_pack, starting_at(restoring_pack.methods["hybrid"], code()[None]))
    with pytest.raises(InvalidField, match=r"options.inversion.method: .*got 'hybrid'"):
        parse(restoring_pack, **inverting(checkpoint=other))
    with pytest.raises(InvalidField, match="expected that of the checkpoint, 'hybrid'") as caught:
        parse(restoring_pack, **inverting(method="restore", checkpoint=other))
    assert (caught.value.field, caught.value.reason) == ("options.inversion.method", "WRONG_METHOD")
    own = checkpoint_message(restoring_pack, starting_at(restoring_pack.methods["restore"], code()[None]))
    for named in ("restore", ""):
        assert parse(
            restoring_pack, **inverting(method=named, checkpoint=own)
        ).inversion.plan.method.name == ("restore")


@pytest.mark.parametrize("matrix", [GREY, np.full((3, 3), 1 / 3), np.tile([1.0, 0, 0], (3, 1)), -np.eye(3)])
def test_grey_of_any_kind_and_what_can_be_undone_are_taken(
    restoring_pack: Pack, matrix: NDArray[Any]
) -> None:
    found = parse(restoring_pack, **coloured(matrix)).degradation.colour
    assert found is not None
    np.testing.assert_allclose(found, matrix, atol=1e-7)


def test_a_preset_sets_what_is_not_said_and_no_more(
    restoring_pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = RestorationDefaults(7, {"pixel": 3.0, "unheard_of": 1.0})
    monkeypatch.setattr(restoration, "DEFAULTS", dict.fromkeys(RestorationPreset, defaults))
    plan = parse(restoring_pack, preset=DENOISE).inversion.plan
    assert (plan.method.name, plan.start, plan.rules.steps) == ("restore", "encoder", 7)
    assert plan.weights == {"pixel": 3.0, "anchor": 0.0}
    said = inversion_pb2.InversionOptions(
        mean=inversion_pb2.MeanStart(),
        refinement=inversion_pb2.Refinement(steps=2, weights={"pixel": 0.5}),
    )
    plan = parse(restoring_pack, preset=DENOISE, inversion=said).inversion.plan
    assert (plan.start, plan.rules.steps) == ("mean", 2)
    assert plan.weights == {"pixel": 0.5, "anchor": 0.0}
    plan = parse(restoring_pack, **degraded(blur=1.0)).inversion.plan
    assert (plan.start, plan.rules.steps, plan.weights) == ("encoder", 20, {"pixel": 1.0, "anchor": 0.0})
    assert parse(restoring_pack, preset=DENOISE).inversion.plan.domain is None


def test_what_a_preset_means_goes_before_by_what_is_said(restoring_pack: Pack) -> None:
    grey_given = given(restoring_pack, preset=COLORIZE).degradation
    assert grey_given.colour is not None
    np.testing.assert_array_equal(grey_given.colour, GREY)
    mean = np.full((3, 3), 1 / 3)
    said = given(restoring_pack, preset=COLORIZE, **coloured(mean)).degradation
    assert said.colour is not None
    np.testing.assert_allclose(said.colour, mean, atol=1e-7)
    small = given(restoring_pack, grey(9, 5, 5), preset=UPSCALE)
    assert (small.degradation.height, small.degradation.width, small.pixels.shape) == (5, 5, (5, 5, 3))
    larger = given(restoring_pack, grey(9, 64, 64), preset=UPSCALE, **fewer(rows=4))
    assert larger.pixels.shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("fit", "shape"), [(types_pb2.FIT_CROP, (4, 4)), (types_pb2.FIT_PAD, (6, 6)), (0, (4, 4))]
)
def test_an_image_that_is_not_square_is_made_so_at_its_own_size(
    restoring_pack: Pack, fit: Any, shape: tuple[int, int]
) -> None:
    wide = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    mask = np.zeros((4, 6), np.uint8)
    mask[:, :3] = 255
    found = given(
        restoring_pack,
        picture(wide),
        preset=UPSCALE,
        inversion=inversion_pb2.InversionOptions(fit=fit),
        **degraded(mask=picture(mask)),
    )
    assert found.pixels.shape == (*shape, 3)
    square = wide[:, 1:5] if shape == (4, 4) else np.pad(wide, [(1, 1), (0, 0), (0, 0)], mode="edge")
    np.testing.assert_array_equal(found.pixels, square)
    known = np.zeros(shape, np.bool_)
    known[:, : 2 if shape == (4, 4) else 3] = True
    assert found.degradation.known is not None
    np.testing.assert_array_equal(found.degradation.known, known)


def test_presets_name_terms_that_there_are() -> None:
    (method,) = [each for each in DEMO.methods.values() if each.restores]
    assert {term for each in DEFAULTS.values() for term in each.terms} <= method.terms.keys()


def test_what_is_missing_besides_is_held_by_its_own_prior() -> None:
    noisy, holed = (parse(DEMO, preset=DENOISE, **more) for more in ({}, degraded(mask=half())))
    missing = DEFAULTS[RestorationPreset.INPAINT].terms["prior"]
    assert noisy.inversion.plan.weights["prior"] == 0
    assert holed.inversion.plan.weights["prior"] == pytest.approx(missing)
    assert noisy.inversion.plan.weights["perceptual"] == holed.inversion.plan.weights["perceptual"] == 0


def test_rows_alone_or_columns_alone_mean_both(restoring_pack: Pack) -> None:
    for times in ({"rows": 4}, {"columns": 4}):
        assert given(restoring_pack, **fewer(**times)).pixels.shape == (2, 2, 3)
    assert given(restoring_pack, grey(5, 2, 8), **fewer(rows=4, columns=1)).pixels.shape == (2, 8, 3)
    assert given(restoring_pack, grey(5, 8, 4), **fewer(rows=1, columns=2)).pixels.shape == (8, 4, 3)


def test_a_preset_takes_no_more_steps_than_the_server_allows(restoring_pack: Pack) -> None:
    options = restoration_pb2.RestorationOptions(preset=DENOISE)
    few = read_settings(["--max-steps", "3"], {})
    parsed = read_restoration(
        ServedPacks({"tiny": restoring_pack}), few, picture(tiny.random_image(1)), options
    )
    assert parsed.inversion.plan.rules.steps == 3
