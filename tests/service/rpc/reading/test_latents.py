import numpy as np
import pytest

from relatent.core.noise import noise
from relatent_service.errors import InvalidField, RevisionMismatch
from relatent_service.rpc.messages import write_floats
from relatent_service.rpc.reading.latents import check_origin, check_shape, read_floats


def test_floats_travel_little_endian_row_by_row():
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    data = write_floats(np.asfortranarray(array))
    assert data == array.astype("<f4").tobytes()
    found = read_floats(data, (2, 4), "latent")
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_wrong_length_is_refused_and_the_right_one_told(length):
    with pytest.raises(InvalidField, match="32 bytes") as caught:
        read_floats(bytes(length), (2, 4), "options.latent")
    assert caught.value.field == "options.latent.values"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_the_first_told(value):
    array = np.zeros((2, 4), np.float32)
    array[1, 2] = array[1, 3] = value
    with pytest.raises(InvalidField, match=r"2 that are not, the first at \[1, 2\]"):
        read_floats(write_floats(array), (2, 4), "latent")


def test_infinity_may_be_let_in_but_nan_never():
    array = np.array([np.inf], np.float32)
    assert read_floats(write_floats(array), (1,), "state", finite=False)[0] == np.inf
    with pytest.raises(InvalidField):
        read_floats(write_floats(np.array([np.nan])), (1,), "state", finite=False)


def test_another_pack_and_another_revision_are_told_apart(pack):
    check_origin(pack, "tiny", "1" * 64, "latent")
    with pytest.raises(InvalidField) as caught:
        check_origin(pack, "big", "1" * 64, "latent")
    assert not isinstance(caught.value, RevisionMismatch)
    with pytest.raises(RevisionMismatch, match="1" * 64):
        check_origin(pack, "tiny", "2" * 64, "latent")


def test_a_shape_of_many_sides_is_refused_in_few_words():
    with pytest.raises(InvalidField) as caught:
        check_shape([1] * 10_000, (2, 4), "latent")
    assert caught.value.description == "expected [2, 4], got 10000 sides"


def test_a_seed_below_2_to_the_32_is_what_stylegans_scripts_draw():
    # Written down from NumPy's documented, frozen generator: they must never change.
    np.testing.assert_allclose(noise(0, 4), [1.76405235, 0.40015721, 0.97873798, 2.2408932], rtol=1e-6)
    np.testing.assert_allclose(noise(42, 2), [0.49671415, -0.1382643], rtol=1e-6)


def test_every_seed_is_its_own():
    seeds = [0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1]
    drawn = {noise(seed, 8).tobytes() for seed in seeds}
    assert len(drawn) == len(seeds)
