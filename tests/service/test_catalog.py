from dataclasses import replace

import pytest

from relatent_service.catalog import ServedPacks, find_direction, find_method, shown
from relatent_service.errors import InvalidField, UnknownName


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


def test_methods_are_found_by_name_and_the_default_without(pack):
    assert find_method(pack, "", "method").name == "hybrid"
    assert find_method(pack, "momentum", "method") is pack.methods["momentum"]
    with pytest.raises(UnknownName, match="hybrid, momentum"):
        find_method(pack, "lbfgs", "method")


@pytest.mark.parametrize("letter", ["x", "é", "🙂", "\n", "'"])
def test_a_long_text_is_quoted_in_part_and_in_ascii(letter):
    assert shown("short") == "'short'"
    assert len(shown(letter * 10_000)) < 70
    assert shown(letter * 10_000).isascii()
    assert shown(letter * 10_000).endswith(("...'", '..."'))
    assert shown(letter) == ascii(letter)
