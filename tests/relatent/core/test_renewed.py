"""Files that are read again when they change, and channels that take each other's place."""

from __future__ import annotations

import errno
import ssl
from pathlib import Path

import pytest

from relatent.core.renewed import Renewed
from relatent.core.renewed_channel import RenewedChannel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


def test_files_are_read_again_when_they_have_changed_and_not_before(path: Path) -> None:
    reads = []

    def read() -> int:
        reads.append(int(path.read_text()))
        return reads[-1]

    number = Renewed([path], read)
    assert (number.value, number.renew()) == (1, False)
    path.write_text("22")
    assert (number.renew(), number.value, number.renew()) == (True, 22, False)
    assert reads == [1, 22]


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "number").write_text(name)
    (tmp_path / "data").symlink_to("1")
    number = Renewed([tmp_path / "data" / "number"], (tmp_path / "data" / "number").read_text)
    (tmp_path / "new").symlink_to("2")
    (tmp_path / "new").replace(tmp_path / "data")
    assert number.renew()
    assert number.value == "2"


def test_what_cannot_be_read_is_told_once_and_the_value_stays_until_the_files_change_again(
    path: Path,
) -> None:
    number = Renewed([path], lambda: int(path.read_text()))
    path.write_text("none")
    with pytest.raises(ValueError, match="none"):
        number.renew()
    assert (number.renew(), number.value) == (False, 1)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        number.renew()
    path.write_text("333")
    assert (number.renew(), number.value) == (True, 333)


@pytest.mark.parametrize("wrapped", [False, True], ids=["as it is", "as another's cause"])
def test_a_failure_that_may_pass_loses_no_change_and_is_told_once(path: Path, wrapped: bool) -> None:
    failure: Exception | None = None

    def read() -> int:
        if failure is not None and wrapped:
            raise ValueError(str(failure)) from failure
        if failure is not None:
            raise failure
        return int(path.read_text())

    number = Renewed([path], read)
    path.write_text("22")
    failure = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises((OSError, ValueError), match="Too many open files"):
        number.renew()
    assert (number.renew(), number.value) == (False, 1)
    failure = OSError(errno.EIO, "Input/output error")
    with pytest.raises((OSError, ValueError), match="Input/output error"):
        number.renew()
    failure = None
    assert (number.renew(), number.value, number.renew()) == (True, 22, False)


def test_openssls_errors_are_of_the_content_and_not_tried_again(path: Path) -> None:
    reads = []

    def read() -> int:
        reads.append(path.read_text())
        if reads[-1] != "1":
            raise ValueError("no certificate") from ssl.SSLError("no start line")
        return 1

    number = Renewed([path], read)
    path.write_text("none")
    with pytest.raises(ValueError, match="no certificate"):
        number.renew()
    number.renew()
    assert reads == ["1", "none"]


def test_what_changes_while_it_is_read_is_seen_at_the_next_look(path: Path) -> None:
    def read() -> str:
        text = path.read_text()
        if text == "1":
            path.write_text("later")
        return text

    number = Renewed([path], read)
    assert (number.value, number.renew(), number.value) == ("1", True, "later")


class Made:
    """Stands for a channel."""

    def __init__(self, of: str) -> None:
        self.of = of


@pytest.fixture
def versions() -> list[str]:
    return ["first"]


@pytest.fixture
def renewed(versions: list[str]) -> RenewedChannel[str, Made]:
    return RenewedChannel(Made, lambda: versions[-1])


def test_calls_share_a_channel_for_as_long_as_nothing_changes(renewed: RenewedChannel[str, Made]) -> None:
    one, other = renewed.take(), renewed.take()
    assert one is other
    assert renewed.give_back(one) == renewed.give_back(other) == []
    assert renewed.take() is one


def test_a_call_that_begins_gets_the_newest_and_the_one_before_goes_with_its_last_call(
    renewed: RenewedChannel[str, Made], versions: list[str]
) -> None:
    old = renewed.take()
    assert renewed.take() is old
    versions.append("second")
    new = renewed.take()
    assert (old.of, new.of) == ("first", "second")
    assert renewed.give_back(old) == []
    assert renewed.give_back(new) == []
    assert renewed.give_back(old) == [old]
    assert renewed.take() is new


def test_one_that_was_idle_goes_with_the_first_call_on_the_next(
    renewed: RenewedChannel[str, Made], versions: list[str]
) -> None:
    old = renewed.take()
    assert renewed.give_back(old) == []
    versions.append("second")
    new = renewed.take()
    assert renewed.give_back(new) == [old]


def test_one_that_is_replaced_goes_as_well_though_nothing_changed(renewed: RenewedChannel[str, Made]) -> None:
    old = renewed.take()
    renewed.replace()
    assert renewed.take() is not old
    assert renewed.give_back(old) == [old]


def test_all_are_let_go_and_calls_that_end_later_find_nothing_to_close(
    renewed: RenewedChannel[str, Made], versions: list[str]
) -> None:
    old = renewed.take()
    versions.append("second")
    new = renewed.take()
    assert renewed.let_go() == [old, new]
    assert renewed.give_back(old) == renewed.give_back(new) == []
