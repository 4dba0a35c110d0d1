"""`relatent invert` loses no image and says what became of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

import relatent
from relatent.cli.main import main
from tests.relatent.cli.conftest import Ran
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


async def test_an_image_becomes_a_code_and_a_reconstruction(command: Command, image: Write) -> None:
    ran = await command("invert", str(image("photo.png")))
    assert ran.code == 0
    latent = relatent.LatentCode.load("out/invert/photo.safetensors")
    assert (latent.pack, latent.revision) == (fake.PACK, fake.REVISION)
    assert Path("out/invert/photo.png").stat().st_size > 0
    assert "PSNR 20.0 dB" in ran.out
    assert "20 steps (steps)" in ran.out
    assert "out/invert/" in ran.out


async def test_json_holds_everything(command: Command, image: Write) -> None:
    ran = await command("invert", str(image("photo.png")), "--json")
    [result] = ran.document["results"]
    assert ran.document["failed"] == []
    assert Path(result["latent"]).is_file()
    assert Path(result["reconstruction"]).is_file()
    assert result["quality"]["ssim"] == pytest.approx(0.9)
    assert result["stop_reason"] == "steps"
    assert len(result["losses"]) == result["steps"] == 20


async def test_json_has_null_for_a_number_that_it_cannot_hold(
    command: Command, image: Write, server: FakeServer
) -> None:
    async def diverges(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(0)
        event = fake.result(2, [float("nan"), float("inf")])
        event.result.quality.perceptual = float("-inf")
        yield event

    server.scripts = [diverges]
    ran = await command("invert", str(image("photo.png")), "--json")
    [result] = ran.document["results"]
    assert result["losses"] == [None, None]
    assert result["quality"]["perceptual"] is None
    assert result["quality"]["psnr"] == 20.0


async def test_a_folder_is_inverted_whole(command: Command, image: Write, server: FakeServer) -> None:
    names = [f"faces/{number}.png" for number in range(20)] + ["faces/deep/er/1.jpg"]
    for name in names:
        image(name)
    image("faces/.thumbnails/0.png")
    Path("faces/notes.txt").write_text("not a picture")
    ran = await command("invert", "faces", "-o", "results")
    assert ran.code == 0
    assert len(server.requests) == 21
    for number in range(20):
        relatent.LatentCode.load(f"results/{number}.safetensors")
    relatent.LatentCode.load("results/deep/er/1.safetensors")
    assert "21 of 21 done, 2 passed over" in ran.out
    assert "relatent: faces/.thumbnails: passed over: a hidden folder\n" in ran.err
    assert "relatent: faces/notes.txt: passed over: a text file\n" in ran.err


async def test_files_of_one_name_get_results_of_their_own(command: Command, image: Write) -> None:
    for name in ("a/x.png", "b/x.png", "b/X.jpg"):
        image(name)
    ran = await command("invert", "a", "b", "a/x.png", "--json")
    results = ran.document["results"]
    assert len(results) == 3
    assert len({result["latent"].lower() for result in results}) == 3
    assert all(Path(result["latent"]).is_file() for result in results)


@pytest.mark.parametrize(
    "words",
    [
        ["portrait.png", "-o", "."],
        ["link.png", "-o", "elsewhere"],
        ["portrait.jpg", "--mask", "portrait.png", "-o", "."],
        ["portrait.jpg", "--start", "portrait.safetensors", "--format", "webp", "-o", "."],
    ],
)
async def test_a_result_that_would_overwrite_an_input_is_refused_before_any_work(
    command: Command, image: Write, server: FakeServer, saved_code: Path, words: list[str]
) -> None:
    for name in ("portrait.png", "portrait.jpg"):
        image(name)
    saved_code.rename("portrait.safetensors")
    Path("elsewhere").mkdir()
    Path("link.png").symlink_to("portrait.png")
    Path("elsewhere/link.png").hardlink_to("portrait.png")
    before = {path: path.read_bytes() for path in Path().glob("portrait.*")}
    ran = await command("invert", *words)
    assert ran.code == 2
    assert "a result would overwrite it; choose another place with --out" in ran.err
    assert server.requests == []
    assert {path: path.read_bytes() for path in Path().glob("portrait.*")} == before


async def test_a_result_beside_its_input_is_written(command: Command, image: Write) -> None:
    ran = await command("invert", str(image("portrait.jpg")), "-o", ".")
    assert ran.code == 0
    assert Path("portrait.png").is_file()


async def test_results_are_no_inputs_of_the_next_run(command: Command, image: Write) -> None:
    image("x.png")
    await command("invert", ".", "-o", "out")
    ran = await command("invert", ".", "-o", "out")
    assert "1 of 1 done" in ran.out


async def test_a_failed_file_is_reported_and_the_others_go_on(
    command: Command, image: Write, server: FakeServer
) -> None:
    async def refuses_truncated(request: Any, context: Any) -> AsyncIterator[Any]:
        if request.image.data == b"\x89PNG cut":
            violation = error_details_pb2.BadRequest.FieldViolation(
                field="image.data", description="truncated PNG"
            )
            await fake.abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "invalid image",
                error_details_pb2.ErrorInfo(reason="BAD_IMAGE"),
                error_details_pb2.BadRequest(field_violations=[violation]),
            )
        async for event in fake.inverts(request, context):
            yield event

    server.scripts = [refuses_truncated]
    for name in ("faces/a.png", "faces/c.png"):
        image(name)
    Path("faces/b.png").write_bytes(b"\x89PNG cut")
    Path("faces/d.png").symlink_to("moved-away.png")
    ran = await command("invert", "faces", "nowhere.png")
    assert ran.code == 1
    assert "faces/d.png: No such file" in ran.err
    assert "faces/b.png: invalid image; image.data: truncated PNG" in ran.err
    assert "nowhere.png: No such file" in ran.err
    assert "2 of 5 done, 3 failed" in ran.out
    assert Path("out/invert/a.safetensors").is_file()
    assert Path("out/invert/c.safetensors").is_file()

    ran = await command("invert", "faces", "--json")
    failed = ran.document["failed"][0]
    assert (failed["code"], failed["reason"]) == ("INVALID_ARGUMENT", "BAD_IMAGE")
    assert ran.code == 1


async def test_options_reach_the_service(
    command: Command, image: Write, server: FakeServer, saved_code: Path
) -> None:
    words = "--steps 7 --learning-rate 0.5 --weight pixel=2 --weight anchor=0 --target-loss 0.1"
    words += f" --plateau 5:0.25 --time-budget 2 --fit pad --pack tiny --start {saved_code} --format webp"
    words += " --no-cache"
    ran = await command("invert", str(image("a.png")), "--mask", str(image("m.png")), *words.split())
    options = server.requests[0].options
    refinement = options.refinement
    assert (refinement.steps, refinement.learning_rate) == (7, 0.5)
    assert dict(refinement.weights) == {"pixel": 2.0, "anchor": 0.0}
    assert (refinement.plateau.steps, refinement.plateau.min_improvement) == (5, 0.25)
    assert refinement.time_budget.seconds == 2
    assert refinement.mask.data == Path("m.png").read_bytes()
    assert options.latent.pack == fake.PACK
    assert options.no_cache
    assert ran.code == 0


async def test_what_was_found_in_the_cache_is_said_to_be(
    command: Command, image: Write, server: FakeServer
) -> None:
    async def finds(request: Any, context: Any) -> AsyncIterator[Any]:
        event = fake.result(20, [])
        event.result.cached = True
        yield event

    server.scripts = [finds, finds]
    assert "20 steps (steps, cached)" in (await command("invert", str(image("a.png")))).out
    [result] = (await command("invert", str(image("a.png")), "--json")).document["results"]
    assert result["cached"] is True


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--weight", "pixel"], "expected TERM=VALUE"),
        (["--plateau", "5"], "expected STEPS:FRACTION"),
        (["--learning-rate", "0"], "expected a number above 0"),
        (["--jobs", "0"], "expected a whole number of at least 1"),
        (["--fit", "squash"], "invalid choice"),
    ],
)
def test_wrong_arguments_are_explained(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["invert", "a.png", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


async def test_without_a_service_no_file_waits_for_one(
    command: Command, image: Write, server: FakeServer
) -> None:
    await server.die()
    ran = await command("invert", str(image("a.png")), "--timeout", "0.3")
    assert ran.code == 3
    assert "cannot connect: Connection refused" in ran.err


async def test_an_empty_folder_is_said_to_be_empty(command: Command) -> None:
    Path("empty").mkdir()
    ran = await command("invert", "empty")
    assert (ran.code, ran.err) == (2, "relatent: empty: no image in there\n")


async def test_a_wrong_file_to_start_from_is_said_to_be_wrong(command: Command, image: Write) -> None:
    ran = await command("invert", str(image("a.png")), "--start", "a.png")
    assert ran.code == 2
    assert "a.png: not a .safetensors file" in ran.err
