"""What a service writes at its most talkative, and tells who watches it, holds nothing of its callers'."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import text_encoding

from relatent.v1 import editing_pb2, inversion_pb2, synthesis_pb2, types_pb2
from tests.fixtures import tiny
from tests.fixtures.every_call import Stubs, every_call, once
from tests.fixtures.requests import code, image, latent, read_code
from tests.system.secured import Secured

pytestmark = pytest.mark.asyncio(loop_scope="function")

WRONG = "relatent_Wrong0and0not0to0be0seen0anywhere000"
METHODS = {
    "InversionService/Invert",
    "InversionService/InvertStream",
    "RestorationService/Restore",
    "RestorationService/RestoreStream",
    "EditingService/Edit",
    "EditingService/EditStream",
    "EditingService/Read",
    "DiffusionService/Diffuse",
    "SynthesisService/Sample",
    "SynthesisService/Synthesize",
    "CatalogService/Estimate",
    "CatalogService/GetPack",
}


def bad_calls(stubs: Stubs, metadata: Any) -> list[Any]:
    """Calls with pictures and codes that are refused, each for another reason."""
    picture = types_pb2.Image(data=image(3).data[:60])
    options = inversion_pb2.InversionOptions(pack="tiny", method="none")
    short, odd = latent(code(1)), latent(np.full(tiny.CODE, np.nan))
    short.values = short.values[:-3]
    session = editing_pb2.EditStreamRequest(open=editing_pb2.EditSessionOpening(latent=odd))
    method = stubs.inversion.Invert
    return [
        method(inversion_pb2.InvertRequest(image=picture), metadata=metadata, timeout=20),
        method(inversion_pb2.InvertRequest(image=image(), options=options), metadata=metadata, timeout=20),
        *(
            stubs.synthesis.Synthesize(
                synthesis_pb2.SynthesizeRequest(latents=[wrong]), metadata=metadata, timeout=20
            )
            for wrong in (short, odd, latent(code(1), revision="f" * 64))
        ),
        stubs.editing.EditStream(once(session), metadata=metadata, timeout=20),
    ]


async def outcome(call: Any) -> grpc.StatusCode:
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def shapes_of(data: bytes) -> list[str]:
    """How bytes may show in a text, of which a part is enough."""
    part = data[len(data) // 2 :][:24]
    plain = [part.hex(), repr(part)[2:-1], text_encoding.CEscape(part, as_utf8=False)]
    return [*plain, *(base64.b64encode(part[skip:])[:-4].decode() for skip in range(3))]


def shapes_of_code(values: Any) -> list[str]:
    numbers = np.asarray(values, np.float32).ravel()
    texts = [repr(number)[:8] for number in numbers.tolist() if abs(number) > 1e-3]
    return [*texts, *shapes_of(numbers.tobytes())]


async def test_neither_keys_nor_pictures_nor_codes(tiny_root: Path, tmp_path: Path) -> None:
    secured = Secured(tiny_root, tmp_path)
    try:
        secured.service.wait_ready()
        found = await call_every_way(secured)
        told = secured.log.read_text() + secured.scrape()
    finally:
        secured.service.end()
    told += secured.log.read_text()
    told += told.replace("\\\\", "\\")  # as it was before it became JSON
    seen = {method for method in METHODS if f'"method": "/relatent.v1.{method}"' in told}
    assert seen == METHODS
    assert '"key": "ours"' in told
    secrets = {
        "a key": [secured.key, secured.key.removeprefix("relatent_")[:12]],
        "a wrong key": [WRONG, WRONG.removeprefix("relatent_")[:12]],
        "a picture": [shape for seed in (1, 2, 3) for shape in shapes_of(image(seed).data)],
        "pixels": shapes_of(tiny.random_image(1).tobytes()),
        "a code that came": shapes_of_code(code(1)),
        "a code that went": shapes_of_code(read_code(found.result.latent)),
    }
    for what, shapes in secrets.items():
        assert [shape for shape in shapes if shape in told] == [], what


async def call_every_way(secured: Secured) -> inversion_pb2.InvertResponse:
    """Calls of every kind, good, bad, with a wrong key and without any; an inversion's answer."""
    credentials = grpc.ssl_channel_credentials(secured.authority.pem)
    right, wrong = ((("authorization", f"Bearer {key}"),) for key in (secured.key, WRONG))
    async with grpc.aio.secure_channel(secured.address, credentials) as channel:
        stubs = Stubs(channel)
        outcomes = {name: await outcome(call) for name, call in every_call(stubs, "tiny", right).items()}
        assert outcomes["Invert"] is outcomes["Edit"] is outcomes["a session of a code"] is grpc.StatusCode.OK
        assert grpc.StatusCode.INTERNAL not in outcomes.values()
        for call in bad_calls(stubs, right):
            assert await outcome(call) in (
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        for metadata in (wrong, (("authorization", WRONG),), ()):
            for call in every_call(stubs, "tiny", metadata).values():
                assert await outcome(call) in (
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                )
        return await stubs.inversion.Invert(
            inversion_pb2.InvertRequest(image=image()), metadata=right, timeout=20
        )
