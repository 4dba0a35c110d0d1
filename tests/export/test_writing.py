"""Results come whole or not at all, and what was there before stays until then. The faults are real ones."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from export import writing
from export.cli import main
from export.graphs import roles
from export.networks import Networks
from export.pack import PackInfo, write_pack
from export.repository import write_models
from export.training.checkpoint import load_state, save_state
from export.writing import whole_file, whole_folder
from tests.export.conftest import ROOT
from tests.fixtures.checkpoints.families import FAMILIES

RENAMES = 8
"""Of three entries in place of three others, with the probe before and the one that makes it final."""

INFO = PackInfo("small", "Random networks.", "Apache-2.0", "Random numbers.", {"encoder": 0.02, "mean": 0.05})


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk with so many bytes left, to each file that is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden or not."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"a folder"
        for path in folder.rglob("*")
    }


@pytest.fixture
def quickly(
    small: Networks, graphs: dict[str, onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, onnx.ModelProto]]:
    """Graphs that were exported before, in place of exporting them."""
    made = [(role, graphs[role]) for role in roles(small)]
    monkeypatch.setattr("export.repository.build_graphs", lambda *_, **__: iter(made))
    return made


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


def test_an_import_that_fills_the_disk_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (generator,) = FAMILIES["rosinality"](tmp_path)
    with files_of_at_most(10_000):
        assert main(["import", str(generator), "--name", "own"]) == 1
    told = "relatent-export: packs/own/generator.safetensors: File too large\n"
    assert capsys.readouterr().err == told
    assert contents(tmp_path / "packs") == {}


def test_a_pack_that_cannot_be_written_leaves_the_earlier_one(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [])
    (tmp_path / "README.md").write_text("Of its owner's.")
    before = contents(tmp_path)
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large") as caught:
        write_pack(tmp_path, INFO, small, [])
    assert caught.value.filename == str(tmp_path / "generator.safetensors")
    assert contents(tmp_path) == before


def test_a_repository_that_cannot_be_written_leaves_the_earlier_one_and_names_the_file(
    small: Networks, quickly: list[tuple[str, onnx.ModelProto]], tmp_path: Path
) -> None:
    write_models("small", small, tmp_path)
    before = contents(tmp_path)
    largest, model = max(quickly, key=lambda pair: pair[1].ByteSize())
    with files_of_at_most(model.ByteSize() - 1), pytest.raises(OSError, match="File too large") as caught:
        write_models("small", small, tmp_path)
    assert caught.value.filename == str(tmp_path / f"small_{largest}" / "1" / "model.onnx")
    assert contents(tmp_path) == before
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        write_models("small", small, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert contents(tmp_path) == before


def test_models_that_a_pack_has_no_longer_go_with_the_others_replaced(
    small: Networks, quickly: list[tuple[str, onnx.ModelProto]], tmp_path: Path
) -> None:
    write_models("small", small, tmp_path)
    (tmp_path / "other_map").mkdir()
    quickly[:] = [pair for pair in quickly if pair[0] != "encode"]
    write_models("small", small, tmp_path)
    names = {f"small_{role}" for role, _ in quickly} | {"other_map"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_checkpoint_of_training_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "gan.safetensors"
    save_state(path, {"w": torch.ones(2)}, {"images": 1})
    with files_of_at_most(1_000), pytest.raises(OSError, match="File too large") as caught:
        save_state(path, {"w": torch.ones(5_000)}, {"images": 2})
    assert caught.value.filename == str(path)
    assert load_state(path)[1] == {"images": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["gan.safetensors"]


def test_an_import_that_is_interrupted_says_so_in_a_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (generator,) = FAMILIES["rosinality"](tmp_path)

    def interrupted(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"a part")
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("export.weights.save_file", interrupted)
    assert main(["import", str(generator), "--name", "own"]) == 130
    told = capsys.readouterr().err
    assert told == "relatent-export: interrupted; nothing half-written was left\n"
    assert contents(tmp_path / "packs") == {}


CHILD = """
import sys, time, onnx, export.repository
from export.cli import main
model = onnx.load("model_repository/demo_map/1/model.onnx")
def slowly(*_, **__):
    yield "map", model
    time.sleep(60)
export.repository.build_graphs = slowly
sys.exit(main(["repository", "packs/demo", "--into", sys.argv[1]]))
"""


def test_ctrl_c_ends_an_export_with_130_and_one_line_and_leaves_the_earlier_repository(
    tmp_path: Path,
) -> None:
    (tmp_path / "demo_map" / "1").mkdir(parents=True)
    (tmp_path / "demo_map" / "1" / "model.onnx").write_bytes(b"earlier")
    before = contents(tmp_path)
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True) as child:
        partial = tmp_path.with_name(f".{tmp_path.name}.demo.partial")
        while not (partial / "demo_map" / "config.pbtxt").exists():
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=30)
    assert told == "relatent-export: interrupted; nothing half-written was left\n"
    assert child.returncode == 130
    assert contents(tmp_path) == before
