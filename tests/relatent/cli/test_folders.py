"""Of a folder no picture is lost: each is worked on or fails, and what surely is none is listed."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from relatent.cli.folders import PassedOver
from relatent.cli.inputs import collect
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("faces")
    folder.mkdir()
    return folder


def picture(path: Path, kind: str = "JPEG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path, kind)


def taken(*paths: Path, codes: bool = False) -> list[str]:
    return sorted(str(item.path) for item in collect(paths, Path("out"), codes=codes).items)


def passed(*paths: Path, codes: bool = False) -> dict[str, str]:
    return {str(each.path): each.why for each in collect(paths, Path("out"), codes=codes).passed_over}


def test_pictures_are_found_by_their_content_whatever_their_name(faces: Path) -> None:
    for name in ("a.jfif", "b.png", "c", "d.data", "deep/er/e.txt", "folder.png/f.PNG"):
        picture(faces / name)
    assert taken(faces) == [
        f"faces/{name}" for name in ("a.jfif", "b.png", "c", "d.data", "deep/er/e.txt", "folder.png/f.PNG")
    ]
    assert passed(faces) == {}


def test_a_picture_that_is_none_by_its_content_fails_rather_than_being_passed_over(faces: Path) -> None:
    (faces / "a.jpg").write_bytes(b"<!doctype html>")
    (faces / "b.PNG").write_bytes(b"")
    (faces / "c.heic").write_bytes(b"?")
    (faces / "d").write_bytes(b"<svg/>")
    (faces / "e.png").symlink_to("nowhere")
    (faces / "f").symlink_to("f")
    os.mkfifo(faces / "g.png")
    assert taken(faces) == [
        f"faces/{name}" for name in ("a.jpg", "b.PNG", "c.heic", "d", "e.png", "f", "g.png")
    ]


def test_what_surely_is_no_picture_is_passed_over_by_its_name(faces: Path) -> None:
    picture(faces / "a.png")
    (faces / "README").write_text("Photographs of 1902.")
    (faces / "a.xmp").write_text('<?xml version="1.0"?><x:xmpmeta/>')
    (faces / "notes.pdf").write_bytes(b"%PDF-1.7")
    (faces / "clip.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(8))
    (faces / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(99))
    (faces / "a.safetensors").write_bytes(b"")
    (faces / ".DS_Store").write_bytes(b"")
    (faces / "link").symlink_to("a.png")
    (faces / "album").symlink_to("..")
    picture(faces / ".git/objects/a.png")
    os.mkfifo(faces / "pipe")
    assert taken(faces) == ["faces/a.png"]
    assert passed(faces) == {
        "faces/.DS_Store": "a hidden file",
        "faces/.git": "a hidden folder",
        "faces/README": "a text file",
        "faces/Thumbs.db": "no picture by its content",
        "faces/a.safetensors": "a latent code",
        "faces/a.xmp": "an XML file",
        "faces/album": "a link to a folder",
        "faces/clip.mov": "an MP4 or QuickTime video",
        "faces/link": "the same file as faces/a.png",
        "faces/notes.pdf": "a PDF document",
        "faces/pipe": "a named pipe",
    }
    assert taken(faces, codes=True) == ["faces/a.png", "faces/a.safetensors"]


def test_a_folder_without_a_picture_beside_others_is_told(faces: Path) -> None:
    picture(faces / "a.png")
    Path("empty").mkdir()
    assert passed(faces, Path("empty"), faces) == {"empty": "no image in there"}


async def test_a_folder_that_cannot_be_looked_through_has_failed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(Path("faces/a.png"))
    picture(Path("faces/locked/b.png"))
    scandir = os.scandir

    def locked(path: Any) -> Any:
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    ran = await command("invert", "faces")
    assert ran.code == 1
    assert ran.err == "relatent: faces/locked: Permission denied\n"
    assert "1 of 2 done, 1 failed" in ran.out


async def test_every_file_is_accounted_for_as_text_and_as_json(
    command: Command, image: Write, server: FakeServer
) -> None:
    image("faces/b.png")
    picture(Path("faces/a.jfif"))
    Path("faces/c.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    Path("faces/README.txt").write_text("Photographs of 1902.")
    ran = await command("invert", "faces", "nowhere.png")
    assert ran.code == 1
    assert "relatent: faces/README.txt: passed over: a text file\n" in ran.err
    assert "relatent: image: faces/c.png: expected a picture" in ran.err
    assert "git lfs pull" in ran.err
    assert "2 of 4 done, 2 failed, 1 passed over" in ran.out

    document = (await command("edit", "faces", "--set", "smile=1", "--json")).document
    assert {each["input"] for each in document["results"]} == {"faces/a.jfif", "faces/b.png"}
    assert [each["input"] for each in document["failed"]] == ["faces/c.png"]
    assert document["passed_over"] == [{"input": "faces/README.txt", "why": "a text file"}]


async def test_what_is_passed_over_is_no_failure(command: Command, image: Write) -> None:
    image("faces/b.png")
    for number in range(12):
        Path(f"faces/{number:02d}.txt").write_text("a caption")
    ran = await command("invert", "faces")
    assert ran.code == 0
    assert ran.err.count("passed over: a text file") == 10
    assert "relatent: 2 more passed over; --json lists them all" in ran.err


async def test_a_folder_without_a_picture_is_told_what_is_in_it(command: Command) -> None:
    Path("texts").mkdir()
    for number in range(7):
        Path(f"texts/{number}").write_text("text")
    ran = await command("invert", "texts")
    assert ran.code == 2
    assert ran.err.startswith("relatent: texts: no image in there, but texts/0 (a text file), ")
    assert ran.err.endswith(", 2 more\n")


@pytest.mark.parametrize("command_line", [["invert"], ["edit", "--set", "smile=1"]])
async def test_results_go_beside_a_folder_and_never_into_it(
    command: Command, image: Write, command_line: list[str]
) -> None:
    image("faces/a.jpg")
    ran = await command(*command_line, "faces", "-o", "faces/../faces")
    assert ran.code == 2
    assert "faces: results would go among its pictures; choose another place with --out" in ran.err
    assert (await command(*command_line, "faces", "-o", ".")).code == 0
    assert Path("a.png").is_file()


def test_where_results_go_is_passed_over(faces: Path) -> None:
    picture(faces / "a.png")
    picture(faces / "out/a.png")
    found = collect([faces], faces / "out")
    assert [item.path for item in found.items] == [faces / "a.png"]
    assert found.passed_over == [PassedOver(faces / "out", "where results go")]
