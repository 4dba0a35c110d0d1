import grpc
import numpy as np
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.rpc.reading.operations import MAX_OPERATIONS
from tests.fixtures import tiny
from tests.fixtures.requests import (
    code,
    encoded,
    image,
    latent,
    read_code,
    read_pixels,
    reason,
    violated,
)

DIRECTIONS = tiny.directions()


def move(name, *strengths, **fields):
    return v1.Operation(direction=v1.DirectionMove(direction=name, strengths=strengths, **fields))


def truncate(psi):
    return v1.Operation(truncation=v1.Truncation(psi=psi))


def interpolate(other, *amounts):
    return v1.Operation(interpolation=v1.Interpolation(other=latent(other), amounts=amounts))


def mix(other, first, last):
    layers = v1.LayerRange(first=first, last=last)
    return v1.Operation(style_mix=v1.StyleMix(other=latent(other), layers=layers))


async def edit(running, *operations, start=None, **fields):
    request = v1.EditRequest(
        latent=latent(code(1) if start is None else start), operations=operations, **fields
    )
    return await running.editing.Edit(request, timeout=10)


async def codes(running, *operations, start=None):
    response = await edit(running, *operations, start=start)
    return np.stack([read_code(edited.latent) for edited in response.images])


async def refused(running, *operations, **fields):
    request = v1.EditRequest(**{"latent": latent(code(1)), "operations": operations, **fields})
    with pytest.raises(grpc.RpcError) as caught:
        await running.editing.Edit(request, timeout=10)
    return caught.value


async def test_a_strip_of_strengths_comes_back_in_order_and_costs_one_batch(running):
    strengths = (-1.0, 0.0, 0.5, 2.0)
    response = await edit(running, move("brightness", *strengths))
    for edited, strength in zip(response.images, strengths, strict=True):
        assert edited.strength == strength
        expected = code(1) + np.float32(strength) * DIRECTIONS["brightness"]
        np.testing.assert_allclose(read_code(edited.latent), expected, atol=1e-6)
        np.testing.assert_array_equal(
            read_pixels(edited.image), tiny.generate(read_code(edited.latent)[None])[0]
        )
    assert running.engine.calls == [("tiny_synthesize", 4)]
    assert response.timings.inference.ToNanoseconds() > 0


async def test_a_strip_longer_than_a_batch_is_split(running):
    strengths = np.linspace(-2, 2, 40)
    response = await edit(running, move("brightness", *strengths))
    assert len(response.images) == 40
    assert running.engine.calls == [("tiny_synthesize", n) for n in (16, 16, 8)]


async def test_operations_apply_in_order_also_after_the_strip(running):
    found = await codes(running, truncate(0.5), move("redness", 1, 2), mix(code(2), 0, 0), truncate(0.5))
    for strength, w in zip((1, 2), found, strict=True):
        expected = tiny.MEAN + 0.5 * (code(1) - tiny.MEAN) + strength * DIRECTIONS["redness"]
        expected[0] = code(2)[0]
        np.testing.assert_allclose(w, tiny.MEAN + 0.5 * (expected - tiny.MEAN), atol=1e-6)


async def test_no_operations_give_the_code_and_its_image_back(running):
    response = await edit(running)
    (edited,) = response.images
    np.testing.assert_array_equal(read_code(edited.latent), code(1))
    assert edited.strength == 0


async def test_a_direction_moves_its_own_rows_unless_told_otherwise(running):
    (own,) = await codes(running, move("detail", 1))
    np.testing.assert_array_equal(own[0], code(1)[0])
    assert not np.array_equal(own[1], code(1)[1])
    (first,) = await codes(running, move("brightness", 1, layers=v1.LayerRange(first=0, last=0)))
    np.testing.assert_array_equal(first[1], code(1)[1])
    assert not np.array_equal(first[0], code(1)[0])


async def test_an_absolute_strength_is_the_distance_to_arrive_at(running):
    found = await codes(running, move("brightness", -1, 0.5, mode=v1.STRENGTH_MODE_ABSOLUTE))
    for w, strength in zip(found, (-1, 0.5), strict=True):
        np.testing.assert_allclose((w * DIRECTIONS["brightness"]).sum(axis=1) - 0.25, strength, atol=1e-6)


async def test_conditions_keep_what_they_name_and_absolute_strengths_still_arrive(running):
    brightness, redness = DIRECTIONS["brightness"], DIRECTIONS["redness"]
    (moved,) = await codes(running, move("brightness", 2, conditions=["redness"]))
    np.testing.assert_allclose(((moved - code(1)) * redness).sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(((moved - code(1)) * brightness).sum(axis=1), 2, rtol=1e-5)
    (there,) = await codes(
        running, move("brightness", 0.75, conditions=["redness"], mode=v1.STRENGTH_MODE_ABSOLUTE)
    )
    np.testing.assert_allclose((there * brightness).sum(axis=1) - 0.25, 0.75, atol=1e-5)
    np.testing.assert_allclose(((there - code(1)) * redness).sum(axis=1), 0, atol=1e-5)


async def test_a_morph_goes_from_one_code_to_the_other(running):
    found = await codes(running, interpolate(code(2), 0, 0.25, 1))
    np.testing.assert_allclose(found[0], code(1), atol=1e-6)
    np.testing.assert_allclose(found[1], 0.75 * code(1) + 0.25 * code(2), atol=1e-6)
    np.testing.assert_allclose(found[2], code(2), atol=1e-6)


async def test_an_image_is_inverted_first_and_the_inversion_told(running):
    options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=8))
    source = v1.ImageSource(image=image(), options=options)
    request = v1.EditRequest(image=source, operations=[move("brightness", 0, 1)])
    response = await running.editing.Edit(request, timeout=10)
    inverted = read_code(response.inversion.latent)
    assert response.inversion.steps == 8
    np.testing.assert_array_equal(read_code(response.images[0].latent), inverted)
    np.testing.assert_allclose(
        read_code(response.images[1].latent), inverted + DIRECTIONS["brightness"], atol=1e-6
    )


@pytest.mark.parametrize(
    ("layout", "kind"),
    [
        (types_pb2.IMAGE_FORMAT_UNSPECIFIED, types_pb2.IMAGE_FORMAT_PNG),
        (types_pb2.IMAGE_FORMAT_JPEG, types_pb2.IMAGE_FORMAT_JPEG),
        (types_pb2.IMAGE_FORMAT_WEBP, types_pb2.IMAGE_FORMAT_WEBP),
        (types_pb2.IMAGE_FORMAT_RAW_RGB, types_pb2.IMAGE_FORMAT_RAW_RGB),
    ],
)
async def test_images_come_in_the_format_asked_for(running, layout, kind):
    (edited,) = (await edit(running, output_format=layout)).images
    assert edited.image.format == kind
    expected = tiny.generate(code(1)[None])[0]
    if kind == types_pb2.IMAGE_FORMAT_RAW_RGB:
        assert edited.image.data == expected.tobytes()
    elif kind != types_pb2.IMAGE_FORMAT_JPEG:
        np.testing.assert_array_equal(read_pixels(edited.image), expected)


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (move("brightness"), "operations[0].direction.strengths"),
        (move("brightness", *range(65)), "operations[0].direction.strengths"),
        (move("brightness", 0, np.nan), "operations[0].direction.strengths[1]"),
        (move("brightness", 1, mode=7), "operations[0].direction.mode"),
        (
            move("brightness", 1, layers=v1.LayerRange(first=1, last=0)),
            "operations[0].direction.layers",
        ),
        (
            move("brightness", 1, layers=v1.LayerRange(first=0, last=2)),
            "operations[0].direction.layers",
        ),
        (move("detail", 1, layers=v1.LayerRange(first=0, last=0)), "operations[0].direction.layers"),
        (
            move("brightness", 1, conditions=["redness", "brightness"]),
            "operations[0].direction.conditions",
        ),
        (truncate(1.5), "operations[0].truncation.psi"),
        (truncate(np.nan), "operations[0].truncation.psi"),
        (interpolate(code(2), 2.5), "operations[0].interpolation.amounts[0]"),
        (interpolate(code(2)), "operations[0].interpolation.amounts"),
        (v1.Operation(style_mix=v1.StyleMix(other=latent(code(2)))), "operations[0].style_mix.layers"),
        (mix(np.full((2, 4), np.inf), 0, 1), "operations[0].style_mix.other.values"),
        (v1.Operation(), "operations[0]"),
    ],
)
async def test_a_wrong_operation_is_refused_by_its_field(running, operation, field):
    error = await refused(running, operation)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(error) == field
    assert not running.engine.calls


async def test_two_strips_are_refused(running):
    error = await refused(running, move("brightness", 1, 2), truncate(1), interpolate(code(2), 0, 1))
    assert violated(error) == "operations[2]"
    assert "operations[0]" in error.details()


async def test_unknown_directions_and_conditions_are_not_found_and_what_exists_is_listed(running):
    for operation, field in (
        (move("age", 1), "operations[0].direction.direction"),
        (move("brightness", 1, conditions=["redness", "age"]), "operations[0].direction.conditions[1]"),
    ):
        error = await refused(running, operation)
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert reason(error) == "UNKNOWN_DIRECTION"
        assert violated(error) == field
        assert (
            "brightness, redness, detail" in error.details()
            or "brightness, detail, redness" in error.details()
        )


@pytest.mark.parametrize(
    ("changes", "field", "status"),
    [
        ({"pack": "other"}, "latent.pack", grpc.StatusCode.NOT_FOUND),
        ({"pack": ""}, "latent.pack", grpc.StatusCode.INVALID_ARGUMENT),
        ({"revision": "2" * 64}, "latent.revision", grpc.StatusCode.FAILED_PRECONDITION),
        ({"space": 0}, "latent.space", grpc.StatusCode.INVALID_ARGUMENT),
        ({"space": types_pb2.LATENT_SPACE_W}, "latent.shape", grpc.StatusCode.INVALID_ARGUMENT),
        ({"shape": [4, 2]}, "latent.shape", grpc.StatusCode.INVALID_ARGUMENT),
        ({"values": b"\0" * 31}, "latent.values", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_code_of_something_else_is_refused_by_its_field(running, changes, field, status):
    error = await refused(running, latent=latent(code(1), **changes))
    assert error.code() is status
    assert violated(error) == field
    assert "expected" in error.details() or "there are" in error.details()


async def test_neither_code_nor_image_is_refused(running):
    with pytest.raises(grpc.RpcError) as caught:
        await running.editing.Edit(v1.EditRequest(), timeout=10)
    assert violated(caught.value) == "source"


async def test_a_wrong_option_of_an_image_is_named_with_its_whole_path(running):
    options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=10**6))
    source = v1.ImageSource(image=types_pb2.Image(data=encoded(tiny.random_image(1))), options=options)
    with pytest.raises(grpc.RpcError) as caught:
        await running.editing.Edit(v1.EditRequest(image=source), timeout=10)
    assert violated(caught.value) == "image.options.refinement.steps"
    with pytest.raises(grpc.RpcError) as caught:
        await running.editing.Edit(v1.EditRequest(image=v1.ImageSource()), timeout=10)
    assert violated(caught.value) == "image.image.data"


@pytest.mark.parametrize(
    ("operations", "field"),
    [
        ([move("brightness", 3e38), move("brightness", 3e38)], "operations[1].direction.strengths"),
        ([move("brightness", 0, 3e38), move("brightness", 3e38)], "operations[1].direction.strengths"),
        (
            [
                move("brightness", 3e38),
                move("brightness", -3e38, conditions=["redness"], mode=v1.STRENGTH_MODE_ABSOLUTE),
            ],
            "operations[1].direction.strengths",
        ),
        ([interpolate(np.full(tiny.CODE, -3e38), 2)], "operations[0].interpolation.amounts"),
    ],
)
async def test_an_edit_that_leaves_the_range_of_float32_is_refused_by_its_numbers(running, operations, field):
    error = await refused(running, *operations)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (violated(error), reason(error)) == (field, "NOT_FINITE")


async def test_more_operations_or_conditions_than_make_sense_are_refused_before_they_keep_anyone_waiting(
    running,
):
    many = await edit(running, *[truncate(1)] * MAX_OPERATIONS)
    assert len(many.images) == 1
    error = await refused(running, *[truncate(1)] * (MAX_OPERATIONS + 1))
    assert (violated(error), reason(error)) == ("operations", "INVALID_FIELD")
    error = await refused(running, move("brightness", 1, conditions=["redness"] * (len(DIRECTIONS) + 1)))
    assert violated(error) == "operations[0].direction.conditions"


async def test_an_edit_of_an_image_keeps_time_for_its_own_images_before_the_deadline(running):
    running.engine.delay = 0.02
    strengths = [n / 20 for n in range(40)]
    await running.inversion.Invert(inversion_pb2.InvertRequest(image=image()), timeout=10)
    source = v1.ImageSource(
        image=image(),
        options=inversion_pb2.InversionOptions(
            refinement=inversion_pb2.Refinement(steps=2000, best_at_deadline=True)
        ),
    )
    request = v1.EditRequest(image=source, operations=[move("brightness", *strengths)])
    response = await running.editing.Edit(request, timeout=2.5)
    assert len(response.images) == 40
    assert response.inversion.stop_reason == inversion_pb2.STOP_REASON_DEADLINE
