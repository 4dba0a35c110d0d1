"""Whatever a file is called, and wherever output goes, the answer arrives and names the file."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from PIL import Image

import relatent
from relatent.cli.inputs import collect
from relatent.cli.main import main
from relatent.core import files
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]

NOT_UTF_8 = os.fsdecode(b"caf\xe9.jpg")
ENCODINGS = ["ascii", "latin-1", "utf-8", "cp1252", "utf-16"]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], tuple[str, str]]]:
    """Has standard output and error of an encoding, and gives what was written there."""

    def encode(encoding: str) -> Callable[[], tuple[str, str]]:
        raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
        for name, buffer in raw.items():
            monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding))

        def written() -> tuple[str, str]:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            return raw["stdout"].getvalue().decode(encoding), raw["stderr"].getvalue().decode(encoding)

        return written

    return encode


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", [NOT_UTF_8, "größe-☃.jpg", "two\nlines\x1b[2J.jpg"])
async def test_a_file_of_any_name_is_told_of_on_any_terminal(
    command: Command, image: Write, streams: Any, name: str, encoding: str
) -> None:
    image(name)
    Path(f"broken-{name}").write_bytes(b"")
    Path(".hidden-" + name).write_bytes(b"")
    written = streams(encoding)
    assert (await command("invert", ".")).code == 1
    out, err = written()
    assert "1 of 2 done, 1 failed, 1 passed over" in out
    assert "got an empty file" in err
    assert "a hidden file" in err
    assert len(out.splitlines()) == 2
    assert len(err.splitlines()) == 2
    assert "\x1b" not in out + err


async def test_what_the_library_says_of_a_file_of_any_name_does_not_steer_a_terminal(
    command: Command,
) -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pages[0].save("a\x1b[31m\n.gif", "GIF", save_all=True, append_images=pages[1:])
    ran = await command("invert", "a\x1b[31m\n.gif")
    told = "a\\x1b[31m\\x0a.gif: a GIF picture that holds several; the first or primary one is taken\n"
    assert ran.err.endswith(told)
    assert "\x1b" not in ran.err


def test_a_files_name_that_is_taken_for_an_option_does_not_steer_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["invert", "a.png", "--\x1b[31m.png"])
    err = capsys.readouterr().err
    assert "unrecognized arguments: --\\x1b[31m.png\n" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("words", [["invert"], ["edit", "--set", "smile=1"]])
async def test_json_names_a_file_whose_name_is_no_text(
    command: Command, image: Write, streams: Any, words: list[str], encoding: str
) -> None:
    image(NOT_UTF_8)
    broken = os.fsdecode(b"broken\xff.jpg")
    Path(broken).write_bytes(b"")
    written = streams(encoding)
    await command(*words, NOT_UTF_8, broken, "--json")
    document = json.loads(written()[0])
    document = json.loads(json.dumps(document, ensure_ascii=False).encode())  # as strict readers have it
    [result], [failed] = document["results"], document["failed"]
    for each, name in ((result, NOT_UTF_8), (failed, broken)):
        assert each["input"] == name.encode(errors="replace").decode().replace("?", "\ufffd")
        named = os.fsdecode(unquote_to_bytes(urlsplit(each["input_uri"]).path))
        assert Path(named).samefile(name)
    code = result["latent"] if words == ["invert"] else result["images"][0]["latent"]
    assert code.endswith("/caf%E9.safetensors")
    relatent.LatentCode.load(code)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    "words", [["--help"], ["invert", "--help"], ["edit", "--help"], ["sample", "--seeds=ü"]]
)
def test_help_and_wrong_arguments_are_told_on_any_terminal(
    streams: Any, words: list[str], encoding: str
) -> None:
    written = streams(encoding)
    with pytest.raises(SystemExit):
        main(words)
    assert "usage: relatent" in "".join(written())


async def test_an_argument_that_is_no_text_is_told_so(command: Command) -> None:
    ran = await command("directions", "--pack", os.fsdecode(b"caf\xe9"))
    assert ran.code == 2
    assert "expected text in UTF-8, got 'caf\\udce9'" in ran.err


async def test_a_folder_for_results_may_have_any_name(command: Command, image: Write, streams: Any) -> None:
    out = os.fsdecode(b"r\xe9sultats")
    written = streams("ascii")
    assert (await command("invert", str(image("a.jpg")), "-o", out, "--json")).code == 0
    [result] = json.loads(written()[0])["results"]
    named = os.fsdecode(unquote_to_bytes(urlsplit(result["reconstruction_uri"]).path))
    assert Path(named).samefile(f"{out}/a.png")


def test_results_are_called_what_every_system_takes(tmp_path: Path) -> None:
    long = "n" * 250
    names = [
        NOT_UTF_8,
        "two\nlines.png",
        f"{long}1.png",
        f"{long}2.png",
        "ü" * 120 + ".png",
        "a.jfif",
        "A.png",
        "\u00e9.png",
        "e\u0301.png",
        "E\u0301.jpg",
        "e\u0301-2.png",
    ]
    items = collect([tmp_path / name for name in names], tmp_path).items
    results = [item.name for item in items]
    assert len({unicodedata.normalize("NFC", name).lower() for name in results}) == len(names)
    assert all(len(f"{name}.00.safetensors".encode()) < 255 and name.isprintable() for name in results)


def no_room_for(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Have the disk be full for files with a part in their name, whoever writes them."""
    write = files.write_file

    def full(path: Path, data: bytes) -> None:
        if part in path.name:
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    monkeypatch.setattr(files, "write_file", full)


@pytest.mark.parametrize("part", ["b.safetensors", "b.png"])
async def test_a_result_that_finds_no_room_is_named_and_the_others_are_written(
    command: Command, image: Write, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    no_room_for(monkeypatch, part)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        image(name)
    ran = await command("invert", ".")
    assert ran.code == 1
    assert f"relatent: b.jpg: out/invert/{part}: " in ran.err
    assert "No space left on device" in ran.err
    assert "2 of 3 done, 1 failed" in ran.out
    assert Path("out/invert/c.png").is_file()


@pytest.mark.parametrize("out", ["m.png", "m.gif"])
async def test_a_morph_that_finds_no_room_leaves_what_was_there(
    command: Command, saved_code: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    Path(out).write_bytes(b"before")
    no_room_for(monkeypatch, out)
    ran = await command("morph", str(saved_code), str(saved_code), "-o", out)
    assert (ran.code, ran.err) == (1, f"relatent: {out}: No space left on device\n")
    assert Path(out).read_bytes() == b"before"


async def test_a_sample_that_finds_no_room_is_named_and_the_others_are_written(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_room_for(monkeypatch, "0002.png")
    ran = await command("sample", "--seeds", "0-4", "--json")
    assert ran.code == 1
    assert "relatent: out/sample/seed-0002.png: No space left on device" in ran.err
    assert [each["seed"] for each in ran.document["results"]] == [0, 1, 3, 4]
    assert [each["seed"] for each in ran.document["failed"]] == [2]


@pytest.mark.parametrize(
    "words",
    [
        ["invert", "a.jpg", "-o", "taken"],
        ["edit", "a.jpg", "--set", "smile=1", "-o", "taken/deeper"],
        ["sample", "-o", "taken"],
        ["morph", "a.jpg", "a.jpg", "-o", "taken/a.png"],
    ],
)
async def test_a_folder_that_cannot_hold_results_is_told_before_any_work(
    command: Command, image: Write, server: FakeServer, words: list[str]
) -> None:
    image("a.jpg")
    Path("taken").write_text("a file")
    ran = await command(*words)
    assert ran.code == 2
    assert "relatent: --out: taken" in ran.err
    assert server.requests == []


@pytest.mark.parametrize("name", ["pipe.png", "folder.png", "/dev/zero"])
@pytest.mark.parametrize(
    "words", [["invert", "{}"], ["invert", "a.png", "--mask", "{}"], ["invert", "a.png", "--start", "{}"]]
)
async def test_what_is_no_file_is_told_and_not_waited_for(
    command: Command, image: Write, words: list[str], name: str
) -> None:
    image("a.png")
    os.mkfifo("pipe.png")
    image("folder.png/b.jpg")
    ran = await command(*(word.format(name) for word in words))
    if words == ["invert", "{}"] and name == "folder.png":  # a folder is looked through
        assert ran.code == 0
        return
    assert ran.code in (1, 2)
    assert "expected a file, got a " in ran.err


async def test_equal_inputs_make_equal_results(command: Command, image: Write, saved_code: Path) -> None:
    image("a.jpg")
    seen = []
    for out in ("one", "two"):
        await command("invert", "a.jpg", "-o", out)
        await command("edit", str(saved_code), "--set", "smile=1,2", "-o", out)
        await command("sample", "--seeds", "0-2", "-o", out)
        await command("morph", str(saved_code), str(saved_code), "-o", f"{out}/m.gif")
        seen.append({file.name: file.read_bytes() for file in Path(out).iterdir()})
    assert len(seen[0]) == 2 + 5 + 6 + 1
    assert seen[0] == seen[1]


async def test_an_answer_that_cannot_be_written_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        ran = await command("models")
    assert (ran.code, ran.err) == (1, "relatent: standard output: No space left on device\n")


async def test_a_reader_who_has_enough_is_no_failure_to_tell_of(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        ran = await command("models")
    assert (ran.code, ran.err) == (1, "")


async def test_a_broken_answer_is_told_as_such(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    answer = relatent.Picture(buffer.getvalue()[:40], relatent.ImageFormat.PNG, 8, 8)
    with pytest.raises(relatent.ContractError, match="the answer's png is broken: it ends after 40 bytes"):
        answer.save(tmp_path / "a.bmp")
