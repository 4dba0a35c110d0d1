"""`relatent restore` loses no image and says what became of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

import relatent
from relatent.cli.main import main
from relatent.v1 import restoration_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


async def test_an_image_becomes_a_whole_one_and_its_code(command: Command, image: Write) -> None:
    ran = await command("restore", str(image("photo.png")), "--preset", "colorize")
    assert ran.code == 0
    latent = relatent.LatentCode.load("out/restore/photo.safetensors")
    assert (latent.pack, latent.revision) == (fake.PACK, fake.REVISION)
    assert Path("out/restore/photo.png").read_bytes() == fake.picture().data
    assert "photo.png: matches what was given at 30.0 dB after 20 steps (steps)" in ran.out
    assert "1 of 1 done" in ran.out


async def test_json_holds_everything(command: Command, image: Write) -> None:
    ran = await command("restore", str(image("photo.png")), "--preset", "denoise", "--json")
    [result] = ran.document["results"]
    assert (ran.document["failed"], ran.document["passed_over"]) == ([], [])
    for name, suffix in (("input", "photo.png"), ("latent", "photo.safetensors"), ("image", "photo.png")):
        assert Path(result[name]).is_file()
        assert result[name].endswith(suffix)
    assert (result["pack"], result["revision"], result["method"]) == (fake.PACK, fake.REVISION, "restore")
    assert result["match"] == {"mse": pytest.approx(0.001), "psnr": 30.0}
    assert (result["stop_reason"], result["resumed"]) == ("steps", 0)
    assert len(result["losses"]) == result["steps"] == 20
    assert result["timings"]["total"] == 0


async def test_options_reach_the_service(command: Command, image: Write, server: FakeServer) -> None:
    words = "--preset inpaint --blur 0.5 --fewer 2x4 --colour 1,0,0,0,0.5,0.5,0,-0.25,1 --keep-known"
    words += " --steps 7 --start mean --weight pixel=2 --pack tiny --fit pad --format webp --time-budget 2"
    ran = await command("restore", str(image("a.png")), "--mask", str(image("m.png")), *words.split())
    assert ran.code == 0
    options = server.requests[0].options
    done = options.degradation
    assert (options.preset, options.keep_known) == (restoration_pb2.RESTORATION_PRESET_INPAINT, True)
    assert (done.blur, done.resampling.rows, done.resampling.columns) == (0.5, 2, 4)
    assert list(done.colour) == [1, 0, 0, 0, 0.5, 0.5, 0, -0.25, 1]
    assert done.mask.data == Path("m.png").read_bytes()
    inversion = options.inversion
    assert not inversion.refinement.HasField("mask")
    assert (inversion.pack, inversion.WhichOneof("start"), inversion.refinement.steps) == ("tiny", "mean", 7)
    assert dict(inversion.refinement.weights) == {"pixel": 2.0}
    assert inversion.refinement.time_budget.seconds == 2
    assert Path("out/restore/a.webp").is_file()


async def test_what_is_not_said_is_left_to_the_service(
    command: Command, image: Write, server: FakeServer
) -> None:
    photo = str(image("photo.png"))
    assert (await command("restore", photo, "--fewer", "4")).code == 0
    assert (await command("restore", photo, "--preset", "upscale")).code == 0
    by_four, named = (request.options for request in server.requests)
    four = restoration_pb2.Resampling(rows=4, columns=4)
    assert by_four.degradation == restoration_pb2.Degradation(resampling=four)
    assert by_four.preset == restoration_pb2.RESTORATION_PRESET_UNSPECIFIED
    assert named.degradation == restoration_pb2.Degradation()
    assert not named.keep_known
    assert not named.inversion.refinement.ByteSize()


async def test_a_folder_is_restored_whole_and_a_failed_file_is_reported(
    command: Command, image: Write, server: FakeServer
) -> None:
    async def refuses_one(request: Any, context: Any) -> AsyncIterator[Any]:
        if request.image.data == b"\x89PNG cut":
            await fake.abort(context, grpc.StatusCode.INVALID_ARGUMENT, "invalid image")
        async for event in fake.inverts(request, context):
            yield event

    server.scripts = [refuses_one]
    for name in ("faces/a.png", "faces/deep/c.png"):
        image(name)
    Path("faces/b.png").write_bytes(b"\x89PNG cut")
    Path("faces/notes.txt").write_text("not a picture")
    ran = await command("restore", "faces", "--preset", "denoise", "-o", "whole")
    assert ran.code == 1
    assert "faces/b.png: invalid image" in ran.err
    assert "faces/notes.txt: passed over: a text file" in ran.err
    assert "2 of 3 done, 1 failed" in ran.out
    for name in ("a", "deep/c"):
        relatent.LatentCode.load(f"whole/{name}.safetensors")
        assert Path(f"whole/{name}.png").is_file()


async def test_a_lost_server_is_told_where_the_restoration_went_on(
    command: Command, image: Write, server: FakeServer
) -> None:
    async def breaks(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining", fake.retry_info(0.01))

    server.scripts = [breaks, fake.inverts]
    ran = await command("restore", str(image("photo.png")), "--preset", "denoise")
    assert ran.code == 0
    assert "20 steps (steps, resumed 1x)" in ran.out


async def test_a_result_that_would_overwrite_an_input_is_refused_before_any_work(
    command: Command, image: Write, server: FakeServer
) -> None:
    before = image("portrait.png").read_bytes()
    mask = str(image("mask/portrait.png"))
    for words in (["-o", "."], ["-o", "mask", "--mask", mask]):
        ran = await command("restore", "portrait.png", "--preset", "inpaint", *words)
        assert ran.code == 2
        assert "a result would overwrite it; choose another place with --out" in ran.err
    assert server.requests == []
    assert Path("portrait.png").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--preset", "sharpen"], "invalid choice"),
        (["--fewer", "two"], "expected TIMES or ROWSxCOLUMNS, such as 4 or 2x4, got 'two'"),
        (["--fewer", "2x"], "expected TIMES or ROWSxCOLUMNS"),
        (["--fewer", "x4"], "expected TIMES or ROWSxCOLUMNS"),
        (["--fewer=-2"], "expected TIMES or ROWSxCOLUMNS"),
        (["--fewer", "2x4x8"], "expected TIMES or ROWSxCOLUMNS"),
        (["--colour", "1,0,0"], "expected nine numbers with commas, got '1,0,0'"),
        (["--colour", "a,b,c,d,e,f,g,h,i"], "expected nine numbers with commas"),
        (["--blur", "0"], "expected a number above 0"),
        (["--jobs", "0"], "expected a whole number of at least 1"),
    ],
)
def test_wrong_arguments_are_explained(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["restore", "a.png", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
