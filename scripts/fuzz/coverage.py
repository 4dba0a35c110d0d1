"""`python -m scripts.fuzz.coverage`: pictures and requests, led by what code of the readers they reach.

With the extra `fuzz`, for it needs Atheris, which is libFuzzer for Python; arguments are libFuzzer's, such as
`-max_total_time=60`. An input's first byte says whose it is: the decoder's, or that of a method's readers.
It ends at the first input that is neither read nor refused, and writes that to a file.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import atheris
import grpc
from google.protobuf.message import DecodeError, Message

with atheris.instrument_imports(include=["PIL", "relatent", "relatent_service"]):
    from relatent.core.pack import read_packs
    from relatent.core.spaces import Space
    from relatent_service.catalog import ServedPacks
    from relatent_service.images.codec import Encoded, ImageLimits, read_grey, read_rgb
    from relatent_service.rpc.reading.diffusion import read_diffusion
    from relatent_service.rpc.reading.operations import read_edit, read_z_moves
    from relatent_service.rpc.reading.options import read_inversion
    from relatent_service.rpc.reading.restoration import read_restoration
    from relatent_service.rpc.reading.values import read_latents, read_source_code
    from relatent_service.rpc.status import code_of
    from relatent_service.settings import ServerSettings, read_settings

from scripts.fuzz.methods import METHODS
from scripts.fuzz.mutations import mutate_bytes, mutate_fields
from scripts.fuzz.pictures import whole_files
from scripts.fuzz.requests import whole_requests
from scripts.fuzz.target import write_target

PICTURE = 0
"""What the inputs of the decoder begin with; those of methods with their place among `READ`, from 1."""
READ = ("Invert", "Restore", "Edit", "Diffuse", "Synthesize", "Sample")
_LIMITS = ImageLimits(max_bytes=2**20, max_pixels=100_000)
_MOST_BYTES = 2**16


class Readers:
    """All that looks at a request before anything is computed.

    Args:
        packs: with the pack `tiny`.
        settings: whose limits hold.
    """

    def __init__(self, packs: ServedPacks, settings: ServerSettings) -> None:
        self._packs = packs
        self._settings = settings
        self._pack = packs.all["tiny"]

    def read(self, data: bytes) -> None:
        """Read an input; a refusal of it is right.

        Raises:
            Exception: anything else, which is a fault of the reader's.
        """
        kind, body = data[:1], data[1:]
        try:
            if kind == bytes([PICTURE]):
                _read_picture(body)
            elif kind and kind[0] <= len(READ):
                name = READ[kind[0] - 1]
                self._read_request(name, METHODS[name].request.FromString(body))
        except DecodeError:
            return
        except Exception as error:
            if code_of(error) is grpc.StatusCode.INTERNAL:
                raise

    def _read_request(self, name: str, request: Message) -> None:
        packs, settings, most = self._packs, self._settings, self._settings.max_images
        readers: Mapping[str, Callable[[Any], object]] = {
            "Invert": lambda r: read_inversion(packs, settings, r.image, r.options),
            "Restore": lambda r: read_restoration(packs, settings, r.image, r.options),
            "Edit": lambda r: (
                read_edit(self._pack, r.operations, most, Space.W_PLUS),
                read_source_code(packs, r.latent, "latent"),
            ),
            "Diffuse": lambda r: read_diffusion(packs, settings, r),
            "Synthesize": lambda r: r.latents and read_latents(self._pack, r.latents[:most], "latents"),
            "Sample": lambda r: read_z_moves(self._pack, r.z_moves, "z_moves"),
        }
        readers[name](request)


def _read_picture(data: bytes) -> None:
    for read in (read_rgb, read_grey):
        read(Encoded(data, None, 0, 0, "image"), _LIMITS)


def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
    """Another input: a request with other fields where it is one, else other bytes."""
    rng = Random(seed)
    kind, body = data[:1], data[1:]
    if kind and 1 <= kind[0] <= len(READ) and rng.randrange(4):
        try:
            request = METHODS[READ[kind[0] - 1]].request.FromString(body)
        except DecodeError:
            pass
        else:
            mutate_fields(request, rng)
            return (kind + request.SerializeToString())[:most_bytes]
    if rng.randrange(2):
        return kind + mutate_bytes(body, rng)[: most_bytes - 1]
    mutated: bytes = atheris.Mutate(data, most_bytes)
    return mutated


def main() -> None:
    """Begin with what is whole, and go on until libFuzzer has had enough."""
    with tempfile.TemporaryDirectory(prefix="relatent-fuzz-") as folder:
        pack_folder, _ = write_target(Path(folder))
        packs = ServedPacks(read_packs(pack_folder))
        readers = Readers(packs, read_settings([], {}))
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        whole = whole_requests(packs.all["tiny"])
        inputs = [bytes([PICTURE]) + file for file in whole_files()]
        for place, name in enumerate(READ, start=1):
            inputs += [bytes([place]) + each[0].SerializeToString() for each in whole[name]]
        for number, data in enumerate(inputs):
            (corpus / str(number)).write_bytes(data)
        atheris.Setup(
            [*sys.argv, f"-max_len={_MOST_BYTES}", str(corpus)], readers.read, custom_mutator=mutate
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
