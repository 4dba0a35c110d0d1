"""What each method of a pack makes of the same images: how close, how editable, at what cost.

FID and the sliced Wasserstein distance compare the set of reconstructions with the set of images; of a few
dozen they rank methods, and are no figures to hold against published ones, which take thousands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.domain import cycle
from relatent.core.methods import Method, StartRule
from relatent.core.spaces import Space
from relatent_export.analysis.editing import AskedEdit, EditFigures, Ranges, Reader, measure_edits
from relatent_export.analysis.frechet import frechet_distance
from relatent_export.analysis.likeness import sliced_wasserstein
from relatent_export.analysis.refining import Bytes, ExportedPack, ExportedRefinement, Floats
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_float
from relatent_export.nets.resampling import area_downsample
from relatent_export.progress import progress

BATCH = 16
"""Samples of one graph call."""


@dataclass(frozen=True)
class Inverted:
    """What a method made of images.

    Attributes:
        codes: one an image.
        steps: of refinement.
        seconds: an image, on average.
    """

    codes: Codes
    steps: int
    seconds: float


@dataclass(frozen=True)
class MethodFigures:
    """Means over the images.

    Attributes:
        mse: of pixels in [0, 1].
        psnr: in dB.
        ssim: structural similarity.
        perceptual: distance in the pack's features; None where it has none.
        identity: cosine of identity embeddings; None where it has no such network.
        fid: Fréchet distance of reconstructions and images in the pack's features.
        sliced_wasserstein: of their patches.
        in_domain: the codes' cycle, root mean square of w - E(G(w)): lower lies further within. None where
            there is no encoder, or no W+ part.
        edit_gain, leak: of edits, read by the pack's attribute network; leak in percent of a range.
        judge_gain, judge_leak: read by a network that nothing was fitted to.
        code_bytes: of a code.
        passes: of an image through the generator, there and back counted once, the last one included.
        seconds: an image.
    """

    mse: float
    psnr: float
    ssim: float
    perceptual: float | None
    identity: float | None
    fid: float | None
    sliced_wasserstein: float
    in_domain: float | None
    edit_gain: float | None
    leak: float | None
    judge_gain: float | None
    judge_leak: float | None
    code_bytes: int
    passes: int
    seconds: float

    def known(self) -> dict[str, float]:
        """Those that were measured, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def invert(exported: ExportedPack, method: Method, images: Bytes, steps: int | None = None) -> Inverted:
    """Invert images from the method's default start, in batches.

    Args:
        exported: the pack's graphs.
        method: of the pack.
        images: uint8 [N, R, R, 3].
        steps: the method's default if left out.
    """
    count = method.default_steps if steps is None or method.graph is None else steps
    rate, found = method.rates[method.default_start], []
    began = time.perf_counter()
    for chunk in progress(_batches(images), method.name, unit="batch", leave=False):
        if method.default_start is StartRule.ENCODER:
            starts = exported.encode(chunk, method.encoder)
        else:
            starts = exported.mean_codes(len(chunk))
        refinement = ExportedRefinement(exported, starts, chunk, rate, method)
        refinement.advance(count)
        found.append(refinement.answer)
    return Inverted(Codes.joined(found), count, (time.perf_counter() - began) / len(images))


@dataclass(frozen=True)
class Evaluation:
    """What methods are measured by, alike for all.

    Attributes:
        exported: the pack's graphs.
        networks: its networks, for the features of FID.
        images: uint8 [N, R, R, 3].
        asked: the edits; none where the pack has no attributes to read.
        ranges: of attributes.
        readers: `own`, and `judge` where there is one.
    """

    exported: ExportedPack
    networks: Networks
    images: Bytes
    asked: Sequence[AskedEdit]
    ranges: Ranges | None
    readers: Mapping[str, Reader]

    def figures(
        self, method: Method, inverted: Inverted, images_of: Callable[[Codes], Bytes] | None = None
    ) -> MethodFigures:
        """Measure what a method made of the images.

        Args:
            method: which.
            inverted: what it made.
            images_of: makes the images of codes; the pack's own graphs if left out.
        """
        pack, images_of = self.exported.pack, images_of or self.images_of
        made = images_of(inverted.codes)
        distances = [
            self.exported.compare(one, other)
            for one, other in zip(_batches(made), _batches(self.images), strict=True)
        ]
        mean = {
            name: float(np.concatenate([each[name] for each in distances]).mean()) for name in distances[0]
        }
        edits: dict[str, EditFigures] = {}
        if self.asked and self.ranges is not None:
            codes = inverted.codes.broadcast(pack.layers)
            edits = measure_edits(codes, self.asked, images_of, self.readers, self.ranges)
        own, judge = edits.get("own"), edits.get("judge")
        return MethodFigures(
            mse=mean["mse"],
            psnr=mean["psnr"],
            ssim=mean["ssim"],
            perceptual=mean.get("perceptual"),
            identity=mean.get("identity"),
            fid=self._fid(made),
            sliced_wasserstein=sliced_wasserstein(made, self.images),
            in_domain=self._cycle(inverted.codes, made),
            edit_gain=own.gain if own else None,
            leak=own.leak if own else None,
            judge_gain=judge.gain if judge else None,
            judge_leak=judge.leak if judge else None,
            code_bytes=pack.spaces[method.space].bytes,
            passes=inverted.steps + 1,
            seconds=inverted.seconds,
        )

    def images_of(self, codes: Codes) -> Bytes:
        """The images of codes, by the pack's graphs."""
        chunks = [codes[at : at + BATCH] for at in range(0, len(codes), BATCH)]
        return np.concatenate([self.exported.images(chunk) for chunk in chunks])

    def _cycle(self, codes: Codes, made: Bytes) -> float | None:
        if not self.exported.pack.encoder or codes.space is Space.MULTI:
            return None
        again = np.concatenate([self.exported.encode(chunk) for chunk in _batches(made)])
        plain = codes.broadcast(self.exported.pack.layers).w
        return float(np.mean([cycle(one, other) for one, other in zip(plain, again, strict=True)]))

    def _fid(self, made: Bytes) -> float | None:
        if self.networks.features is None or len(made) < 2:
            return None
        return frechet_distance(self._features(made), self._features(self.images))

    @torch.no_grad()
    def _features(self, images: Bytes) -> torch.Tensor:
        """The coarsest features, averaged over the image: [N, C]."""
        network = self.networks.features
        assert network is not None
        pooled = []
        for chunk in _batches(images):
            small = area_downsample(to_float(torch.from_numpy(chunk)), self.networks.compare_size)
            pooled.append(network.compared(small)[-1].mean((2, 3)))
        return torch.cat(pooled)


def attribute_reader(exported: ExportedPack) -> Reader:
    """The pack's own attribute network."""

    def read(images: Bytes) -> Floats:
        found = [exported.run("attributes", {"image": chunk})["attributes"] for chunk in _batches(images)]
        attributes: Floats = np.concatenate(found)
        return attributes

    return read


def _batches(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
