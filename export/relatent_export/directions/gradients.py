"""Reading attributes off images so that gradients go through, whatever network reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import onnx
from torch import Tensor

from relatent_export.attributes.graphs import READINGS
from relatent_export.directions.controls import readings_of
from relatent_export.nets.networks import Networks
from relatent_export.nets.onnx_module import OnnxModule


def differentiable_reader(networks: Networks) -> Callable[[Tensor], Tensor]:
    """What reads a pack's attributes off images [B, 3, R, R], [B, A].

    Raises:
        ValueError: gradients are not taken through an operator of its graph; names the node and the operator.
    """
    if networks.attributes is not None:
        return partial(readings_of, networks)
    assert networks.attribute_graph is not None
    network = OnnxModule(onnx.ModelProto.FromString(networks.attribute_graph), READINGS)

    def read(images: Tensor) -> Tensor:
        # The graph takes bytes; of floats it makes the same, without rounding them.
        readings: Tensor = network(((images.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1))
        return readings

    return read
