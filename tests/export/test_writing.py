"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from relatent_export import writing
from relatent_export.writing import whole_file, whole_folder
from tests.export.contents import contents

RENAMES = 8
"""Of three entries in place of three others, with the probe before and the one that makes it final."""


def test_a_full_disk_is_told_with_the_file_and_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("earlier")

    def write() -> None:
        with whole_file(path) as partial:
            partial.symlink_to("/dev/full")
            partial.write_bytes(b"x" * 100_000)

    with pytest.raises(OSError, match="No space left on device") as caught:
        write()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert contents(tmp_path) == {"report.json": b"earlier"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("count", range(9))
def test_an_interruption_of_any_rename_leaves_all_old_or_all_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, after: bool
) -> None:
    folder = tmp_path / "repository"
    for name in ("a", "b", "stale", "other"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("old")
    old = contents(tmp_path)
    rename, left = Path.rename, [count]

    def interrupted(path: Path, target: Path) -> Any:
        left[0] -= 1
        if left[0] == -1 and not after:
            raise KeyboardInterrupt
        result = rename(path, target)
        if left[0] == -1:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(Path, "rename", interrupted)
    interrupted_by = None
    try:
        with whole_folder(folder, "x", stale=["a", "stale"]) as partial:
            for name in ("a", "b", "c"):
                (partial / name).mkdir()
                (partial / name / "file").write_text("new")
        assert left[0] >= 0
    except KeyboardInterrupt as error:
        interrupted_by = error
    assert set(tmp_path.iterdir()) == {folder}
    new = {
        **dict.fromkeys(("a", "b", "c", "other"), b"a folder"),
        **{f"{name}/file": b"new" for name in ("a", "b", "c")},
        "other/file": b"old",
    }
    # The last rename is what makes it the new one.
    is_new = interrupted_by is None or (after and left[0] == -1 and count == RENAMES - 1)
    assert (contents(folder) == new) if is_new else (contents(tmp_path) == old)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("count", range(1, 8))
def test_what_a_run_killed_at_any_rename_leaves_is_made_all_old_or_all_new_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, after: bool
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("a", "b", "stale"):
        (folder / name).write_text("old")
    old = contents(folder)
    rename, left = Path.rename, [count]

    def killed(path: Path, target: Path) -> Any:
        left[0] -= 1
        if left[0] < 0 and not (after and left[0] == -1):
            raise KeyboardInterrupt
        result = rename(path, target)
        if left[0] < 0:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        # Nothing is tidied up either.
        patched.setattr(Path, "rename", killed)
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        patched.setattr(writing, "_put_back", lambda *_: None)
        with whole_folder(folder, "x", stale=["stale"]) as partial:
            for name in ("a", "b", "c"):
                (partial / name).write_text("new")
    assert left[0] < 0
    with pytest.raises(ZeroDivisionError), whole_folder(folder, "x"):
        raise ZeroDivisionError
    assert set(tmp_path.iterdir()) == {folder}
    new = dict.fromkeys(("a", "b", "c"), b"new")
    assert contents(folder) == (new if after and count == RENAMES - 1 else old)


def test_nothing_is_emptied_or_filled_that_a_link_leads_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "diary").write_text("mine")
    folder = tmp_path / "packs" / "faces"
    folder.mkdir(parents=True)
    (folder / "a").write_text("old")
    for kind in ("partial", "replaced"):
        folder.with_name(f".faces.{kind}").symlink_to(precious)
    with whole_folder(folder, "faces") as partial:
        assert not partial.is_symlink()
        (partial / "a").write_text("new")
    assert contents(precious) == {"diary": b"mine"}
    assert contents(tmp_path / "packs") == {"faces": b"a folder", "faces/a": b"new"}


def test_a_link_among_what_a_killed_run_left_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "diary").write_text("mine")
    (tmp_path / ".faces.partial").mkdir()
    (tmp_path / ".faces.partial" / "link").symlink_to(tmp_path / "precious")
    with whole_folder(tmp_path / "faces", "faces") as partial:
        (partial / "a").write_text("new")
    assert contents(tmp_path / "precious") == {"diary": b"mine"}
    assert contents(tmp_path / "faces") == {"a": b"new"}


def test_a_folder_that_was_another_process_by_the_time_it_is_locked_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / ".x.partial"

    def late(held: int, how: int) -> None:
        # The one that had it is done, and a third has made one of the same name.
        theirs.rmdir()
        (tmp_path / "taken").mkdir()
        theirs.mkdir()
        (theirs / "half").write_text("theirs")

    monkeypatch.setattr("fcntl.flock", late)
    with (
        pytest.raises(OSError, match="another process is writing it"),
        whole_folder(tmp_path / "x", "x"),
    ):
        raise AssertionError("two at once")
    assert (theirs / "half").read_text() == "theirs"


def test_a_file_is_written_through_its_link_and_never_through_one_that_was_put_beside_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "precious").write_text("mine")
    for name in ("real", "link"):
        (tmp_path / f".{name}.partial").symlink_to("precious")
    with whole_file(tmp_path / "link") as partial:
        partial.write_text("new")
    assert (tmp_path / "link").readlink() == Path("real")
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "precious").read_text() == "mine"


def test_two_packs_go_into_one_new_repository_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    with whole_folder(folder, "one") as one, whole_folder(folder, "other") as other:
        (one / "a").write_text("of one")
        (other / "b").write_text("of the other")
    assert contents(tmp_path) == {
        "repository": b"a folder",
        "repository/a": b"of one",
        "repository/b": b"of the other",
    }


def test_one_pack_goes_into_two_new_repositories_at_once(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "one", "x") as one, whole_folder(tmp_path / "other", "x") as other:
        (one / "a").write_text("of one")
        (other / "a").write_text("of the other")
    assert (tmp_path / "one" / "a").read_text() == "of one"
    assert (tmp_path / "other" / "a").read_text() == "of the other"


def test_the_same_is_not_written_to_the_same_place_by_two_at_once(tmp_path: Path) -> None:
    with whole_folder(tmp_path, "x") as partial:
        (partial / "a").write_text("of the first")
        with (
            pytest.raises(OSError, match="another process is writing it") as caught,
            whole_folder(tmp_path, "x"),
        ):
            raise AssertionError("two at once")
        assert caught.value.filename == str(tmp_path)
    assert contents(tmp_path) == {"a": b"of the first"}


@pytest.mark.parametrize("inside", [False, True])
def test_what_a_killed_run_had_put_aside_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    if inside:
        monkeypatch.setattr(writing, "_reaches", lambda *_: False)
    hidden = folder / ".x" if inside else tmp_path / ".repository.x"
    for kind, file in (("replaced", "a"), ("partial", "half")):
        left = hidden.with_name(f"{hidden.name}.{kind}")
        left.mkdir()
        (left / file).write_text("finished")
    with pytest.raises(ZeroDivisionError), whole_folder(folder, "x"):
        raise ZeroDivisionError
    assert contents(tmp_path) == {"repository": b"a folder", "repository/a": b"finished"}


def test_while_it_is_written_a_repository_holds_nothing_that_triton_would_take_for_a_model(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    with whole_folder(folder, "x") as partial:
        (partial / "a").mkdir()
        assert contents(folder) == {}
    assert contents(folder) == {"a": b"a folder"}
