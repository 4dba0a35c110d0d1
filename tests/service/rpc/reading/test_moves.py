"""Moves along published directions: with lengths of their own, and before the mapping network."""

import grpc
import numpy as np
import pytest

from relatent.core.directions import Direction
from relatent.core.noise import noise
from relatent.core.p_space import to_p
from relatent.core.spaces import Space
from relatent.v1 import catalog_pb2, synthesis_pb2
from relatent.v1 import editing_pb2 as v1
from relatent_service.rpc.reading.operations import MAX_OPERATIONS
from tests.fixtures import tiny
from tests.fixtures.directions import add_directions
from tests.fixtures.requests import code, latent, read_code, reason, violated
from tests.fixtures.running import running_server

STEEP = np.array([[0.6, 0, 0.8, 0], [0, 0.6, 0, 0.8]], np.float32)
STEEP_LENGTHS, STEEP_BIAS = np.array([0.5, 2.0], np.float32), 0.25
COMPONENT, DEVIATION = np.array([0.8, 0, 0, -0.6], np.float32), 0.375
AGE = np.array([[1, 0, 0, 0]], np.float32)
GLASSES = np.array([[0.72, np.sqrt(1 - 0.72**2), 0, 0]], np.float32)
AGE_BIAS = -0.5
RELATIVE, ABSOLUTE = v1.STRENGTH_MODE_RELATIVE, v1.STRENGTH_MODE_ABSOLUTE


def published():
    """As importers make them: rows of other lengths, a principal component, and two directions of Z."""
    every = (0.0, "", 0, 1, 0.0, -3.0, 3.0)
    of_z = (0.0, "", 0, 0, 0.0, -3.0, 3.0)
    middle = -float(tiny.MEAN[0] @ COMPONENT)
    tiled = np.tile(COMPONENT, (2, 1))
    return [
        Direction("steep", STEEP, STEEP_BIAS, *every[1:], tuple(STEEP_LENGTHS.tolist())),
        Direction("half", STEEP, *every, (0.0, 1.0)),
        Direction("component", tiled, middle, *every[1:], (DEVIATION,) * 2, Space.W),
        Direction("depth", tiled, STEEP_BIAS, *every[1:], (DEVIATION,) * 2, Space.P),
        Direction("width", STEEP, *every, (), Space.P),
        Direction("age", AGE, AGE_BIAS, *of_z[1:], (), Space.Z, "MIT", "InterFaceGAN"),
        Direction("glasses", GLASSES, *of_z, (2.0,), Space.Z),
    ]


@pytest.fixture(scope="module")
def published_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    packs, _ = tiny.write_tiny(root)
    add_directions(packs / "tiny", published())
    return root


@pytest.fixture
async def running(published_root):
    async with running_server(published_root) as server:
        yield server


def move(name, *strengths, **fields):
    return v1.DirectionMove(direction=name, strengths=strengths, **fields)


async def edited(running, *moves, start=None):
    request = v1.EditRequest(
        latent=latent(code(1) if start is None else start),
        operations=[v1.Operation(direction=each) for each in moves],
    )
    response = await running.editing.Edit(request, timeout=10)
    return np.stack([read_code(each.latent) for each in response.images])


async def sampled(running, *moves, seeds=(7, 8)):
    request = synthesis_pb2.SampleRequest(seeds=seeds, truncation=0.5, z_moves=moves)
    response = await running.synthesis.Sample(request, timeout=10)
    return np.stack([read_code(each.latent) for each in response.images])


def mapped(z):
    """The codes that the tiny pack's mapping makes of [N, Z], at truncation 0.5."""
    return np.repeat((tiny.MEAN[0] + 0.5 * np.tanh(z @ tiny.MAPPING))[:, None], 2, axis=1)


def drawn(*seeds):
    return np.stack([noise(seed, tiny.Z_WIDTH) for seed in seeds])


async def refused(method, request):
    with pytest.raises(grpc.RpcError) as caught:
        await method(request, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value


async def test_a_relative_strength_goes_so_many_lengths_along_each_row(running):
    found = await edited(running, move("steep", -1, 0.5, 3))
    for w, strength in zip(found, (-1, 0.5, 3), strict=True):
        np.testing.assert_allclose(w, code(1) + strength * STEEP_LENGTHS[:, None] * STEEP, atol=1e-6)


async def test_an_absolute_strength_arrives_so_many_lengths_from_the_boundary(running):
    found = await edited(running, move("steep", -1, 0.5, mode=ABSOLUTE))
    for w, strength in zip(found, (-1, 0.5), strict=True):
        distances = (w * STEEP).sum(axis=1) + STEEP_BIAS
        np.testing.assert_allclose(distances, strength * STEEP_LENGTHS, atol=1e-6)
        across = (w - code(1)) - ((w - code(1)) * STEEP).sum(axis=1, keepdims=True) * STEEP
        np.testing.assert_allclose(across, 0, atol=1e-6)


@pytest.mark.parametrize("mode", [RELATIVE, ABSOLUTE])
async def test_a_row_of_no_length_stays_as_it_is(running, mode):
    (found,) = await edited(running, move("half", 2, mode=mode))
    np.testing.assert_array_equal(found[0], code(1)[0])
    assert np.abs(found[1] - code(1)[1]).max() > 0.1
    request = v1.EditRequest(
        latent=latent(code(1)),
        operations=[v1.Operation(direction=move("half", 2, layers=v1.LayerRange(first=0, last=0)))],
    )
    error = await refused(running.editing.Edit, request)
    assert violated(error) == "operations[0].direction.layers"


@pytest.mark.parametrize("mode", [RELATIVE, ABSOLUTE])
async def test_where_every_length_is_1_nothing_changes_in_the_last_bit(running, mode):
    normal, strength = tiny.directions()["redness"], np.float32(0.7)
    (found,) = await edited(running, move("redness", 0.7, mode=mode))
    distance = np.einsum("nld,ld->nl", code(1)[None], normal)[0] if mode == ABSOLUTE else np.float32(0)
    gain = np.einsum("ld,ld->l", normal, normal) if mode == ABSOLUTE else np.ones(2, np.float32)
    way = ((strength - distance) / gain)[:, None]
    np.testing.assert_array_equal(found, code(1) + way * normal)


async def test_both_of_ganspaces_conventions_are_met(running):
    start = code(3)[0]
    for strength in (-2.0, 0.5):
        (own,) = await edited(running, move("component", strength), start=start)
        np.testing.assert_allclose(own, np.tile(start + strength * DEVIATION * COMPONENT, (2, 1)), atol=1e-6)
        (there,) = await edited(running, move("component", strength, mode=ABSOLUTE), start=start)
        coordinate = (start - tiny.MEAN[0]) @ COMPONENT / DEVIATION
        expected = start + (strength - coordinate) * COMPONENT * DEVIATION
        np.testing.assert_allclose(there, np.tile(expected, (2, 1)), atol=1e-6)


async def test_conditions_leave_how_far_it_goes_and_where_it_arrives_as_they_are(running):
    brightness = tiny.directions()["brightness"]
    (moved,) = await edited(running, move("steep", 2, conditions=["brightness"]))
    np.testing.assert_allclose(((moved - code(1)) * brightness).sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(((moved - code(1)) * STEEP).sum(axis=1), 2 * STEEP_LENGTHS, rtol=1e-5)
    (there,) = await edited(running, move("steep", 0.75, conditions=["brightness"], mode=ABSOLUTE))
    distances = (there * STEEP).sum(axis=1) + STEEP_BIAS
    np.testing.assert_allclose(distances, 0.75 * STEEP_LENGTHS, atol=1e-5)
    np.testing.assert_allclose(((there - code(1)) * brightness).sum(axis=1), 0, atol=1e-5)


async def test_no_code_is_moved_along_a_direction_of_z(running):
    for wanted, field in (
        (move("age", 1), "operations[0].direction.direction"),
        (move("steep", 1, conditions=["redness", "age"]), "operations[0].direction.conditions[1]"),
    ):
        request = v1.EditRequest(latent=latent(code(1)), operations=[v1.Operation(direction=wanted)])
        error = await refused(running.editing.Edit, request)
        assert violated(error) == field
        assert "'age' is of Z, before the mapping network" in error.details()
        assert "use Sample" in error.details()
        assert not running.engine.calls


async def test_a_direction_of_p_moves_codes_there_and_they_come_back(running):
    (moved,) = await edited(running, move("depth", 2))
    np.testing.assert_allclose(to_p(moved), to_p(code(1)) + 2 * DEVIATION * COMPONENT, atol=1e-6)
    (there,) = await edited(running, move("depth", 0.5, mode=ABSOLUTE))
    np.testing.assert_allclose(to_p(there) @ COMPONENT + STEEP_BIAS, 0.5 * DEVIATION, atol=1e-6)
    fields = {"layers": v1.LayerRange(first=1, last=1), "conditions": ["width"]}
    (some,) = await edited(running, move("depth", 2, **fields))
    np.testing.assert_array_equal(some[0], code(1)[0])
    np.testing.assert_allclose((to_p(some[1]) - to_p(code(1)[1])) @ STEEP[1], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "field", "says"),
    [
        (
            move("steep", 1, conditions=["component", "depth"]),
            "conditions[1]",
            "expected a direction of W or W+; 'depth' is of P",
        ),
        (
            move("depth", 1, conditions=["steep"]),
            "conditions[0]",
            "expected a direction of P; 'steep' is of W+",
        ),
        (move("depth", 1, conditions=["age"]), "conditions[0]", "expected a direction of P; 'age' is of Z"),
        (move("depth", 1, conditions=["depth"]), "conditions", "it lies within the span of depth"),
    ],
)
async def test_conditions_are_of_the_space_that_codes_move_in(running, wanted, field, says):
    request = v1.EditRequest(latent=latent(code(1)), operations=[v1.Operation(direction=wanted)])
    error = await refused(running.editing.Edit, request)
    assert violated(error) == f"operations[0].direction.{field}"
    assert says in error.details()
    assert not running.engine.calls


async def test_samples_move_in_z_before_they_are_mapped(running):
    np.testing.assert_allclose(await sampled(running), mapped(drawn(7, 8)), atol=1e-6)
    found = await sampled(running, move("age", 1.5))
    np.testing.assert_allclose(found, mapped(drawn(7, 8) + 1.5 * AGE), atol=1e-6)
    found = await sampled(running, move("glasses", -0.5))
    np.testing.assert_allclose(found, mapped(drawn(7, 8) - 0.5 * 2 * GLASSES), atol=1e-6)
    found = await sampled(running, move("age", 0.25, mode=ABSOLUTE))
    way = 0.25 - (drawn(7, 8) @ AGE[0] + AGE_BIAS)
    np.testing.assert_allclose(found, mapped(drawn(7, 8) + way[:, None] * AGE), atol=1e-6)


async def test_no_strength_is_no_move(running):
    np.testing.assert_array_equal(await sampled(running, move("age", 0)), await sampled(running))


async def test_moves_of_samples_apply_in_order(running):
    found = await sampled(running, move("glasses", 1), move("age", 0.25, mode=ABSOLUTE))
    z = drawn(7, 8) + 2 * GLASSES
    z += (0.25 - (z @ AGE[0] + AGE_BIAS))[:, None] * AGE
    np.testing.assert_allclose(found, mapped(z), atol=1e-6)


async def test_a_move_of_samples_keeps_what_its_conditions_name(running):
    found = await sampled(running, move("glasses", 1, conditions=["age"]))
    way = np.array([[0, 1, 0, 0]])  # what is left of glasses, longer for that it goes as far along them
    way = 2 * way / (way @ GLASSES[0])
    np.testing.assert_allclose(found, mapped(drawn(7, 8) + way), atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "field", "says"),
    [
        (move("steep", 1), "direction", "'steep' is of W+ and moves codes: use Edit"),
        (move("component", 1), "direction", "'component' is of W and moves codes: use Edit"),
        (move("depth", 1), "direction", "'depth' is of P and moves codes: use Edit"),
        (move("age", 1, conditions=["glasses", "steep"]), "conditions[1]", "expected a direction of Z"),
        (move("age"), "strengths", "expected one number, got 0"),
        (move("age", 1, 2), "strengths", "expected one number, got 2"),
        (move("age", np.inf), "strengths[0]", "expected a finite number"),
        (move("age", 1, mode=9), "mode", "expected RELATIVE (1) or ABSOLUTE (2), got 9"),
        (move("age", 1, layers=v1.LayerRange()), "layers", "a direction of Z has no layers"),
        (move("age", 1, conditions=["age"]), "conditions", "in Z it lies within the span of age"),
        (move("glasses", 3e38), "strengths", "within float32"),
    ],
)
async def test_a_wrong_move_of_samples_is_refused_by_its_field(running, wanted, field, says):
    request = synthesis_pb2.SampleRequest(seeds=[1], z_moves=[move("age", 1), wanted])
    error = await refused(running.synthesis.Sample, request)
    assert violated(error) == f"z_moves[1].{field}"
    assert says in error.details()
    assert not running.engine.calls


async def test_more_moves_of_samples_than_make_sense_are_refused(running):
    request = synthesis_pb2.SampleRequest(seeds=[1], z_moves=[move("age", 0)] * (MAX_OPERATIONS + 1))
    error = await refused(running.synthesis.Sample, request)
    assert (violated(error), reason(error)) == ("z_moves", "INVALID_FIELD")


async def test_the_catalog_tells_where_a_direction_lives_and_whose_it_is(running):
    response = await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)
    found = {direction.name: direction for direction in response.pack.directions}
    assert found["age"].space == catalog_pb2.DIRECTION_SPACE_Z
    assert (found["age"].licence, found["age"].source) == ("MIT", "InterFaceGAN")
    assert found["component"].space == catalog_pb2.DIRECTION_SPACE_W
    assert found["depth"].space == catalog_pb2.DIRECTION_SPACE_P
    assert found["brightness"].space == catalog_pb2.DIRECTION_SPACE_W_PLUS
    assert found["brightness"].licence == ""
