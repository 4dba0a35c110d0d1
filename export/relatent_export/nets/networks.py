"""A family's networks together: what a pack's graphs are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from relatent_export.nets.arcface import ArcFace
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.coordinates import PLAIN_UNIT, Coordinates
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.gradual_style import GradualStyleEncoder
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from relatent_export.nets.lpips import Lpips
from relatent_export.nets.perceptual import FeatureNetwork
from relatent_export.nets.resampling import area_downsample
from relatent_export.nets.restyle import ReStyleEncoder
from relatent_export.nets.stored_names import stored_name
from relatent_export.nets.stylegan1 import StyleGAN1
from relatent_export.nets.stylegan2 import Generator

COMPARE_SIZE = 256
"""Largest size, in pixels, at which images are compared unless a pack says otherwise: the field's."""

LEAST_RESOLUTION = 16
"""Of images: structural similarity looks at windows of 11 pixels."""

AnyGenerator = Generator | StyleGAN1
AnyEncoder = Encoder | GradualStyleEncoder | ReStyleEncoder | InDomainEncoder


@dataclass(frozen=True)
class Networks:
    """The networks a pack's graphs are made of, frozen and in evaluation mode.

    Attributes:
        generator: mapping and synthesis.
        encoder: images to W+ codes; None: inversions start from the mean latent.
        attributes: images to attributes, and features to compare unless `lpips` has them.
        attribute_names: of the attribute network's outputs, in order.
        coordinates: that refinement steps a code's L·D numbers in; None for those of the code itself.
        lpips: the perceptual distance, for packs without an attribute network.
        identity: the embedding of faces by whom they show.
        compare_size: height and width, in pixels, at which images are compared, S; if left out, R or 256,
            whichever is less.
        forced_encoder: a second encoder, whose codes were pushed towards those of random vectors
            (Leng et al. 2021).
        attribute_graph: in place of `attributes`, somebody else's network that reads them: a graph in ONNX,
            uint8 [B, R, R, 3] to float32 [B, A] (`relatent_export.attributes`).
        identity_graph: in place of `identity`, likewise: to vectors, float32 [B, E].
        image_text: what embeds images and texts into one space.
    """

    generator: AnyGenerator
    encoder: AnyEncoder | None = None
    attributes: AttributeNetwork | None = None
    attribute_names: tuple[str, ...] = ()
    coordinates: Coordinates | None = None
    lpips: Lpips | None = None
    identity: ArcFace | None = None
    compare_size: int = 0
    forced_encoder: AnyEncoder | None = None
    attribute_graph: bytes | None = None
    identity_graph: bytes | None = None
    image_text: ImageText | None = None

    def __post_init__(self) -> None:
        config = self.generator.config
        if self.compare_size == 0:
            object.__setattr__(self, "compare_size", min(config.resolution, COMPARE_SIZE))
        if config.resolution < LEAST_RESOLUTION:
            raise ValueError(
                f"generator: expected {LEAST_RESOLUTION} pixels or more, got {config.resolution}"
            )
        if self.attributes is not None and self.attribute_graph is not None:
            raise ValueError("attributes: expected one network that reads them, got a graph besides")
        if self.identity is not None and self.identity_graph is not None:
            raise ValueError("identity: expected one network that tells identities, got a graph besides")
        _check_divides("compare_side", self.compare_size, config.resolution)
        for name in ("encoder", "forced_encoder"):
            encoder: AnyEncoder | None = getattr(self, name)
            if encoder is not None:
                _check_divides(name, encoder.resolution, config.resolution)
                _check_code(name, encoder, config.layers, config.latent_width)
        if self.lpips is not None:
            self.lpips.map_sizes(self.compare_size)  # which fails where nothing is left of a map
        numbers = config.layers * config.latent_width
        if self.coordinates is not None and len(self.coordinates.basis) != numbers:
            found = list(self.coordinates.basis.shape)
            raise ValueError(f"basis: expected [{numbers}, M], got {found}")
        frozen = (self.encoder, self.forced_encoder, self.attributes, self.lpips, self.identity)
        for network in (self.generator, *frozen):
            if network is not None:
                network.eval().requires_grad_(False)

    @property
    def features(self) -> FeatureNetwork | None:
        """What the perceptual distance compares; None: there is no such distance."""
        return self.lpips or self.attributes

    @property
    def bases(self) -> dict[str, Coordinates]:
        """The coordinates by the variable of refinement that is stepped in them."""
        return {} if self.coordinates is None else {"w": self.coordinates}

    @property
    def unit(self) -> float:
        """What a step of a code's size is worth to variables beside it, in their own deviations."""
        return PLAIN_UNIT if self.coordinates is None else self.coordinates.unit

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the assessment measures, in the order of its outputs."""
        perceptual = [] if self.features is None else ["perceptual"]
        identity = [] if (self.identity or self.identity_graph) is None else ["identity"]
        return ("mse", "psnr", "ssim", *perceptual, *identity)

    @property
    def revision(self) -> str:
        """SHA-256, in hex, over the mapping and synthesis weights: what latent codes belong to."""
        digest = hashlib.sha256()
        tensors = self.generator.state_dict().items()
        for name, tensor in sorted((stored_name(name), tensor) for name, tensor in tensors):
            array = tensor.contiguous().numpy()
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.data if array.size else b"")
        return digest.hexdigest()


def encode(encoder: AnyEncoder, synthesis: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Images [B, 3, R, R] in [-1, 1], R the generator's, to the encoder's codes [B, L, D]."""
    image = area_downsample(image, encoder.resolution)
    if isinstance(encoder, ReStyleEncoder):
        codes: Tensor = encoder(image, synthesis)
    else:
        codes = encoder(image)
    return codes


def _check_code(what: str, encoder: AnyEncoder, layers: int, width: int) -> None:
    shape = encoder if isinstance(encoder, Encoder) else encoder.config
    found = shape.layers, shape.width if isinstance(shape, Encoder | InDomainConfig) else shape.latent_width
    if found != (layers, width):
        raise ValueError(f"{what}: expected codes of {layers} x {width}, got {found[0]} x {found[1]}")


def _check_divides(what: str, size: int, resolution: int) -> None:
    if size < 1 or resolution % size:
        raise ValueError(
            f"{what}: expected a side of {resolution} pixels or a whole fraction of it, got {size}"
        )
