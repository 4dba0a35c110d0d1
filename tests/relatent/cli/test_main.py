"""The smaller commands, and how failures end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

import relatent
from relatent.cli.main import main
from relatent.v1 import editing_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]


async def test_models_are_listed(command: Command) -> None:
    ran = await command("models")
    header, row = ran.out.splitlines()
    assert header.split()[:3] == ["PACK", "IMAGES", "CODE"]
    assert row.split()[:3] == ["tiny", "8px", "2x4"]
    document = (await command("models", "--json")).document
    assert document["packs"][0]["revision"] == fake.REVISION
    assert document["limits"]["max_images"] == 3


async def test_traces_that_cannot_be_had_cost_a_line_and_not_the_answer(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    ran = await command("models")
    assert ran.code == 0
    assert (
        ran.err
        == "relatent: not traced: OTEL_TRACES_EXPORTER: expected otlp, console or none, got 'zipkin'\n"
    )


async def test_directions_are_listed(command: Command) -> None:
    ran = await command("directions", "--pack", "tiny")
    header, brightness, age, depth, channel, mapper = (line.split() for line in ran.out.splitlines())
    assert header[:5] == ["DIRECTION", "ATTRIBUTE", "SPACE", "LAYERS", "STRENGTHS"]
    assert brightness[:7] == ["brightness", "brightness", "w+", "0-1", "-3", "to", "3"]
    assert brightness[7:] == ["+0.500", "4.2%", "jacobian", "-"]
    assert age == ["age", "-", "z", "-", "-3", "to", "3", "not", "measured", "-", "-", "MIT"]
    assert depth[:4] == ["depth", "-", "p", "0-1"]
    assert channel[:4] == ["channel", "brightness", "s", "-"]
    assert mapper[:4] == ["old_mapper", "-", "w+", "0-1"]
    assert mapper[-2:] == ["text_mapper", "-"]
    document = (await command("directions", "--json")).document
    assert document["directions"][0]["max_strength"] == 3.0
    assert document["directions"][1]["space"] == "z"
    assert document["directions"][1]["source"] == "InterFaceGAN"
    assert [each["name"] for each in document["directions"] if each["learned"]] == ["old_mapper"]


async def test_samples_are_written_with_their_codes(command: Command, server: FakeServer) -> None:
    ran = await command("sample", "--seeds", "3,7-9", "--truncation", "0.5", "--json")
    assert [result["seed"] for result in ran.document["results"]] == [3, 7, 8, 9]
    for result in ran.document["results"]:
        assert Path(result["image"]).is_file()
        assert relatent.LatentCode.load(result["latent"]).values[0, 0] == result["seed"]
    batches = [list(request.seeds) for request in server.requests]
    assert batches == [[3, 7, 8], [9]]


async def test_samples_are_moved_along_directions_of_z(command: Command, server: FakeServer) -> None:
    words = "--seeds 0-3 --move age=1.5 --move smile=-2 --keep smile --absolute"
    assert (await command("sample", *words.split())).code == 0
    for request in server.requests:
        age, smile = request.z_moves
        assert (age.direction, list(age.strengths), list(age.conditions)) == ("age", [1.5], ["smile"])
        assert (smile.direction, list(smile.strengths), list(smile.conditions)) == ("smile", [-2.0], [])
        assert age.mode == smile.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE
        assert not age.HasField("layers")
    assert len(server.requests) == 2


@pytest.mark.parametrize("move", ["age", "age=", "age=1,2", "age=much"])
def test_wrong_moves_of_samples_are_explained(move: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sample", "--move", move])
    assert caught.value.code == 2
    assert "argument --move: expected " in capsys.readouterr().err


async def test_a_morph_to_a_picture_that_cannot_be_written_is_refused_before_any_work(
    command: Command, server: FakeServer
) -> None:
    ran = await command("morph", "a.png", "b.png", "-o", "m.psd")
    assert ran.code == 2
    assert "m.psd: expected a name ending in" in ran.err
    assert server.requests == []


async def test_no_service_ends_with_a_code_of_its_own(command: Command, server: FakeServer) -> None:
    await server.die()
    ran = await command("models", "--timeout", "0.5")
    assert ran.code == 3
    *_, last = ran.err.splitlines()
    assert last == f"relatent: no answer from {server.address}: cannot connect: Connection refused"
    assert len(ran.err.splitlines()) == 2  # attempts are many, lines are not


async def test_a_wrong_number_in_the_environment_is_named_by_what_needs_it_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELATENT_MAX_MESSAGE_BYTES", "32MiB")
    ran = await command("models")
    expected = "RELATENT_MAX_MESSAGE_BYTES: expected a whole number of at least 1, got '32MiB'"
    assert (ran.code, ran.err) == (2, f"relatent: {expected}\n")
    assert (await command("models", "--max-message-bytes", "100000")).code == 0
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0


async def test_the_environment_bounds_messages(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATENT_MAX_MESSAGE_BYTES", "5000")
    Path("a.png").write_bytes(bytes(10_000))
    ran = await command("invert", "a.png")
    assert ran.code == 1
    assert "max_message_bytes is 5,000" in ran.err


async def test_a_refused_call_ends_with_its_reason(command: Command, server: FakeServer) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.NOT_FOUND, "pack: no 'nope'; there is tiny")]
    ran = await command("directions", "--pack", "nope")
    assert (ran.code, ran.err) == (1, "relatent: pack: no 'nope'; there is tiny\n")


@pytest.mark.parametrize("seeds", ["a", "3-", "-3", "1,,2"])
def test_wrong_seeds_are_explained(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sample", f"--seeds={seeds}"])
    assert caught.value.code == 2
    assert "expected seeds such as" in capsys.readouterr().err


def test_fewer_than_no_steps_are_refused_once_for_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["invert", "a.png", "b.png", "--steps", "-1"])
    assert caught.value.code == 2
    assert "expected a whole number of at least 0, got '-1'" in capsys.readouterr().err


def test_every_command_is_helped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for command in ("serve", "invert", "edit", "diffuse", "sample", "morph", "directions", "models", "demo"):
        assert f"    {command}" in text
    for variable in ("RELATENT_ADDRESS", "RELATENT_MAX_MESSAGE_BYTES"):
        assert variable in text


def test_a_demo_outside_a_checkout_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 2
    assert "run this in a checkout of Relatent" in capsys.readouterr().err
