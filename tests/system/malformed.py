"""Requests that no server should answer, all different, each with what its error must name."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from relatent.core.pack import Pack
from relatent.v1 import (
    catalog_pb2,
    diffusion_pb2,
    editing_pb2,
    inversion_pb2,
    restoration_pb2,
    synthesis_pb2,
    types_pb2,
)
from relatent_service.inversion.refinement import starting_at
from relatent_service.rpc.messages import checkpoint_message
from tests.fixtures import tiny
from tests.fixtures.requests import code, encoded, image, latent

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
STALE = grpc.StatusCode.FAILED_PRECONDITION
NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
NOT_FINITE = (np.nan, np.inf, -np.inf)


@dataclass(frozen=True)
class Malformed:
    """A request, where it goes, and what must be said of it.

    Attributes:
        field: what the error must blame; None where the bytes are no message at all.
    """

    method: str
    data: bytes
    field: str | None
    code: grpc.StatusCode = INVALID


def malformed_requests(pack: Pack) -> list[Malformed]:
    """All of them, but those of restorations."""
    sources: tuple[Callable[[], Iterator[Malformed]], ...] = (
        _truncated_images,
        _foreign_files,
        _bombs,
        _empty_requests,
        _huge_dimensions,
        _latents_not_finite,
        _latents_of_something_else,
        _wrong_numbers,
        lambda: _broken_checkpoints(pack),
        _broken_bytes,
    )
    return [request for source in sources for request in source()]


def _invert(field: str, picture: types_pb2.Image, **options: Any) -> Malformed:
    wish = inversion_pb2.InversionOptions(**options)
    request = inversion_pb2.InvertRequest(image=picture, options=wish)
    return Malformed("InversionService/Invert", request.SerializeToString(), field)


def _file(
    data: bytes, field: str = "image.data", layout: Any = 0, width: int = 0, height: int = 0
) -> Malformed:
    return _invert(field, types_pb2.Image(data=data, format=layout, width=width, height=height))


def _edit(field: str, code_: grpc.StatusCode = INVALID, **fields: Any) -> Malformed:
    request = editing_pb2.EditRequest(**{"latent": latent(code(1)), **fields})
    return Malformed("EditingService/Edit", request.SerializeToString(), field, code_)


def _truncated_images() -> Iterator[Malformed]:
    for layout in ("PNG", "JPEG", "WEBP"):
        data = encoded(NOISE, layout)
        for share in np.linspace(0.01, 0.95, 12):
            yield _file(data[: max(4, int(len(data) * share))])


def _foreign_files() -> Iterator[Malformed]:
    for layout in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "SGI"):
        yield _file(encoded(NOISE, layout))
    for data in (b"%PDF-1.7\n", b"PK\3\4zip", b"<svg/>", b"hello", b"\0", b"\xff" * 64, bytes(range(256))):
        yield _file(data)
    kinds = {"PNG": 1, "JPEG": 2, "WEBP": 3}
    for real, data in ((real, encoded(NOISE, real)) for real in kinds):
        for claimed in kinds:
            if claimed != real:
                yield _file(data, "image.format", kinds[claimed])
    for number in (5, 17, 1000):
        yield _file(encoded(NOISE), "image.format", number)


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    middle = b"".join(chunk(kind, body) for kind, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IEND", b"")


def _bombs() -> Iterator[Malformed]:
    zeros = zlib.compress(bytes(50_000_000), 9)
    for side in (10_000, 65_535, 1_000_000, 2**31 - 1):
        yield _file(_png(side, side, (b"IDAT", zeros)))
        yield _file(_png(side, 7_000_000 // 1000, (b"IDAT", zeros)))
    for kind in (b"zTXt", b"iTXt"):
        marker = b"a\0\0" if kind == b"zTXt" else b"a\0\1\0\0\0"
        yield _file(_png(8, 8, (kind, marker + zeros), (b"IDAT", zlib.compress(bytes(200)))))
    canvas = (16_383 - 1).to_bytes(3, "little") * 2
    for flags in (0, 2, 16):
        body = b"VP8X" + (10).to_bytes(4, "little") + bytes([flags, 0, 0, 0]) + canvas
        yield _file(b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body)
    jpeg = bytearray(encoded(NOISE, "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    for height, width in ((65_500, 65_500), (10_000, 10_000), (65_500, 1000)):
        jpeg[at + 5 : at + 9] = struct.pack(">HH", height, width)
        yield _file(bytes(jpeg))


def _empty_requests() -> Iterator[Malformed]:
    yield Malformed("InversionService/Invert", b"", "image.data")
    yield Malformed("RestorationService/Restore", b"", "options.degradation")
    yield Malformed("EditingService/Edit", b"", "source")
    yield Malformed("EditingService/Read", b"", "image.data")
    yield Malformed("DiffusionService/Diffuse", b"", "region")
    half = diffusion_pb2.DiffuseRequest(target=image(), region=editing_pb2.Region(mask=_half_white()))
    yield Malformed("DiffusionService/Diffuse", half.SerializeToString(), "context.data")
    yield Malformed("SynthesisService/Synthesize", b"", "latents")
    yield Malformed("SynthesisService/Sample", b"", "seeds")
    yield _edit("image.image.data", image=editing_pb2.ImageSource())
    yield _edit("operations[0]", operations=[editing_pb2.Operation()])
    empty = synthesis_pb2.SynthesizeRequest(latents=[types_pb2.Latent()])
    yield Malformed("SynthesisService/Synthesize", empty.SerializeToString(), "latents[0].pack")


def _half_white() -> types_pb2.Image:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    return types_pb2.Image(data=encoded(mask))


def _huge_dimensions() -> Iterator[Malformed]:
    raw = types_pb2.IMAGE_FORMAT_RAW_RGB
    for width, height in ((2**32 - 1, 2**32 - 1), (2**31, 1), (1, 2**32 - 1), (50_000, 50_000), (7072, 7072)):
        yield _file(bytes(12), "image.data", raw, width, height)
    for width, height in ((3, 3), (2, 3), (1, 1)):
        yield _file(bytes(12), "image.data", raw, width, height)
    yield _file(bytes(12), "image.width", raw, 0, 4)
    yield _file(bytes(12), "image.height", raw, 4, 0)
    for count in (65, 1000):
        seeds = synthesis_pb2.SampleRequest(seeds=range(count))
        yield Malformed("SynthesisService/Sample", seeds.SerializeToString(), "seeds")
        codes = synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))] * count)
        yield Malformed("SynthesisService/Synthesize", codes.SerializeToString(), "latents")
    for sides in ([2**31, 2**31], [2**32 - 1] * 4, [1] * 5000):
        yield _edit("latent.shape", latent=latent(code(1), shape=sides))


def _latents_not_finite() -> Iterator[Malformed]:
    for value in NOT_FINITE:
        for row, column in ((0, 0), (0, 3), (1, 2)):
            values = code(1)
            values[row, column] = value
            bad = latent(values)
            yield _invert("options.latent.values", image(), latent=bad)
            yield _edit("latent.values", latent=bad)
            request = synthesis_pb2.SynthesizeRequest(latents=[latent(code(2)), bad])
            yield Malformed("SynthesisService/Synthesize", request.SerializeToString(), "latents[1].values")
            other = editing_pb2.Interpolation(other=bad, amounts=[0.5])
            yield _edit(
                "operations[0].interpolation.other.values",
                operations=[editing_pb2.Operation(interpolation=other)],
            )


def _latents_of_something_else() -> Iterator[Malformed]:
    cases: tuple[tuple[str, dict[str, Any], grpc.StatusCode], ...] = (
        ("pack", {"pack": "ffhq"}, NOT_FOUND),
        ("pack", {"pack": "TINY"}, NOT_FOUND),
        ("pack", {"pack": "x" * 5000}, NOT_FOUND),
        ("revision", {"revision": ""}, STALE),
        ("revision", {"revision": "0" * 64}, STALE),
        ("space", {"space": 0}, INVALID),
        ("space", {"space": 7}, INVALID),
        ("shape", {"shape": [4, 2]}, INVALID),
        ("shape", {"shape": [8]}, INVALID),
        ("shape", {"shape": []}, INVALID),
        ("values", {"values": b""}, INVALID),
        ("values", {"values": bytes(31)}, INVALID),
        ("values", {"values": bytes(64)}, INVALID),
    )
    for field, changes, status in cases:
        bad = latent(code(1), **changes)
        yield _edit(f"latent.{field}", status, latent=bad)
        request = inversion_pb2.InvertRequest(
            image=image(), options=inversion_pb2.InversionOptions(pack="tiny", latent=bad)
        )
        # Here the pack is known, so a code of another one is a mistake, not something missing.
        status = INVALID if field == "pack" else status
        yield Malformed(
            "InversionService/Invert", request.SerializeToString(), f"options.latent.{field}", status
        )


def _wrong_numbers() -> Iterator[Malformed]:
    refinements: tuple[tuple[str, dict[str, Any]], ...] = (
        ("steps", {"steps": 2001}),
        ("steps", {"steps": 2**32 - 1}),
        *(("learning_rate", {"learning_rate": rate}) for rate in (0, -1, *NOT_FINITE)),
        *(("target_loss", {"target_loss": value}) for value in NOT_FINITE),
        *(("weights['pixel']", {"weights": {"pixel": value}}) for value in (-1, *NOT_FINITE)),
        ("weights['smile']", {"weights": {"smile": 1}}),
        ("time_budget", {"time_budget": Duration()}),
        ("time_budget", {"time_budget": Duration(seconds=-5)}),
        ("plateau.steps", {"plateau": inversion_pb2.Plateau()}),
        ("plateau.min_improvement", {"plateau": inversion_pb2.Plateau(steps=3, min_improvement=-1)}),
        ("mask.data", {"mask": types_pb2.Image(data=b"hello")}),
    )
    for field, changes in refinements:
        yield _invert(f"options.refinement.{field}", image(), refinement=inversion_pb2.Refinement(**changes))
    yield _invert("options.fit", image(), fit=9)
    yield _invert("options.output_format", image(), output_format=9)
    for strength in NOT_FINITE:
        move = editing_pb2.DirectionMove(direction="brightness", strengths=[1, strength])
        yield _edit(
            "operations[0].direction.strengths[1]", operations=[editing_pb2.Operation(direction=move)]
        )
    for name in ("", "Brightness", "y" * 3000):
        move = editing_pb2.DirectionMove(direction=name, strengths=[1])
        operation = editing_pb2.Operation(direction=move)
        yield _edit("operations[0].direction.direction", NOT_FOUND, operations=[operation])
    for psi in (-0.5, 1.5, np.nan):
        operation = editing_pb2.Operation(truncation=editing_pb2.Truncation(psi=psi))
        yield _edit("operations[0].truncation.psi", operations=[operation])
    for amounts in ((), (np.nan,), (0.5, np.inf)):
        transfer = editing_pb2.ExpressionTransfer(
            source=latent(code(1)), target=latent(code(2)), amounts=amounts, threshold=0
        )
        place = f"[{len(amounts) - 1}]" if amounts else ""
        operation = editing_pb2.Operation(expression_transfer=transfer)
        yield _edit(f"operations[0].expression_transfer.amounts{place}", operations=[operation])
    for amount in (-0.5, 1.5, np.nan):
        path = synthesis_pb2.SeedPath(first=1, last=2, amounts=[amount])
        request = synthesis_pb2.SampleRequest(path=path)
        yield Malformed("SynthesisService/Sample", request.SerializeToString(), "path.amounts[0]")
    picture = editing_pb2.ReadRequest(image=types_pb2.Image(data=b"GIF89a"))
    yield Malformed("EditingService/Read", picture.SerializeToString(), "image.data")
    unknown = catalog_pb2.GetPackRequest(pack="ffhq")
    yield Malformed("CatalogService/GetPack", unknown.SerializeToString(), "pack", NOT_FOUND)


def _broken_checkpoints(pack: Pack) -> Iterator[Malformed]:
    whole = checkpoint_message(pack, starting_at(pack.default_method, code(1)))
    for index, tensor in enumerate(whole.state):
        for field in ("shape", "values"):
            broken = inversion_pb2.Checkpoint.FromString(whole.SerializeToString())
            if field == "shape":
                broken.state[index].shape[:] = [3, 3]
            else:
                broken.state[index].values = bytes(5)
            path = f"options.checkpoint.state[{index}].{field}"
            yield _invert(path, image(), checkpoint=broken)
        missing = inversion_pb2.Checkpoint.FromString(whole.SerializeToString())
        missing.state.remove(tensor)
        yield _invert("options.checkpoint.state", image(), checkpoint=missing)


def _broken_bytes() -> Iterator[Malformed]:
    requests: dict[str, Message] = {
        "InversionService/Invert": inversion_pb2.InvertRequest(image=image()),
        "RestorationService/Restore": restoration_pb2.RestoreRequest(image=image()),
        "EditingService/Edit": editing_pb2.EditRequest(latent=latent(code(1))),
        "EditingService/Read": editing_pb2.ReadRequest(image=image()),
        "SynthesisService/Synthesize": synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))]),
        "CatalogService/GetPack": catalog_pb2.GetPackRequest(pack=tiny.__name__),
    }
    for method, request in requests.items():
        data = request.SerializeToString()
        for share in (0.3, 0.5, 0.7, 0.9):
            part = data[: max(2, int(len(data) * share))]
            try:
                type(request).FromString(part)
            except DecodeError:
                yield Malformed(method, part, None)
