"""The demo's networks as what they are: of the kinds that are trained here, and all there."""

from __future__ import annotations

from dataclasses import dataclass

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator


@dataclass(frozen=True)
class DemoParts:
    """Generator, encoder and attribute network of a pack like the demo's."""

    generator: Generator
    encoder: Encoder
    attributes: AttributeNetwork


def demo_parts(networks: Networks) -> DemoParts:
    """Take a pack's networks for a demo's.

    Raises:
        ValueError: it is another kind of pack, such as an imported one.
    """
    generator, encoder, attributes = networks.generator, networks.encoder, networks.attributes
    if not isinstance(generator, Generator) or not isinstance(encoder, Encoder) or attributes is None:
        raise ValueError("pack: expected one that was trained here, with an attribute network")
    return DemoParts(generator, encoder, attributes)
