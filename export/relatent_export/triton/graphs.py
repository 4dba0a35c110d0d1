"""The graphs of a pack: what each computes, and its export to ONNX.

Images go in and out as uint8 [B, H, W, 3]; conversion, clamping and layout are inside the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import onnx
import torch
from torch import Tensor, nn

from relatent.core.graphs import Role
from relatent.core.spaces import CodeParts, Space
from relatent_export.analysis.quality import mean_squared_error, psnr, ssim
from relatent_export.attributes.identity import SIMILARITY, with_identity
from relatent_export.compile.loop import assemble
from relatent_export.compile.lowering import folded
from relatent_export.compile.onnx import EXAMPLES, clean, export_module
from relatent_export.compile.precision import Precision, in_precision, synthesis_in
from relatent_export.compile.step import trace_step
from relatent_export.nets.networks import AnyEncoder, Networks, encode
from relatent_export.nets.perceptual import perceptual_distance
from relatent_export.nets.pixels import to_bytes, to_float
from relatent_export.nets.resampling import area_downsample
from relatent_export.objectives.methods import (
    LIGHT,
    MAX_STEPS,
    METHODS,
    MethodRecipe,
    available,
    code_parts,
)
from relatent_export.objectives.spaces import example_parts, synthesis_module
from relatent_export.text.serving import text_graph
from relatent_export.triton.targets import Target, graph_precision
from relatent_export.triton.tensorrt import fit


class Encode(nn.Module):
    """image to w."""

    def __init__(
        self, networks: Networks, encoder: AnyEncoder, precision: Precision = Precision.FLOAT32
    ) -> None:
        super().__init__()
        self.encoder = in_precision(encoder, precision)
        self.synthesis = synthesis_in(networks.generator.synthesis, precision)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, R, R, 3] to float32 [B, L, D]."""
        return encode(self.encoder, self.synthesis, to_float(image))


class Map(nn.Module):
    """z and psi to w, truncated, one row a layer."""

    def __init__(self, networks: Networks, precision: Precision = Precision.FLOAT32) -> None:
        super().__init__()
        self.generator = networks.generator

    def forward(self, z: Tensor, psi: Tensor) -> Tensor:
        """float32 [B, Z] and [B, 1] to float32 [B, L, D]."""
        return self.generator.codes(z, psi)


class Synthesize(nn.Module):
    """w to image."""

    def __init__(self, networks: Networks, precision: Precision = Precision.FLOAT32) -> None:
        super().__init__()
        self.synthesis = synthesis_in(networks.generator.synthesis, precision)

    def forward(self, w: Tensor) -> Tensor:
        """float32 [B, L, D] to uint8 [B, R, R, 3]."""
        return to_bytes(self.synthesis(w))


class Assess(nn.Module):
    """Two images to their distances: pixels at full size, features and identities as refinement sees them."""

    def __init__(self, networks: Networks, precision: Precision = Precision.FLOAT32) -> None:
        super().__init__()
        self.perceptual, self.identity = networks.features, networks.identity
        self.compare_size = networks.compare_size

    def forward(self, image: Tensor, reference: Tensor) -> tuple[Tensor, ...]:
        """Two uint8 [B, R, R, 3] to what `Networks.metrics` names, each [B, 1]."""
        a, b = to_float(image), to_float(reference)
        unit_a, unit_b = a * 0.5 + 0.5, b * 0.5 + 0.5
        mse = mean_squared_error(unit_a, unit_b)
        small_a, small_b = area_downsample(a, self.compare_size), area_downsample(b, self.compare_size)
        more = []
        if self.perceptual is not None:
            maps = self.perceptual.compared(small_a), self.perceptual.compared(small_b)
            more.append(perceptual_distance(*maps, divisor=self.perceptual.divisor))
        if self.identity is not None:
            more.append(self.identity.similarity(small_a, small_b))
        similarity = ssim(unit_a, unit_b)
        return mse[:, None], psnr(mse)[:, None], *(measured[:, None] for measured in (similarity, *more))


class Attributes(nn.Module):
    """image to attributes."""

    def __init__(self, networks: Networks, precision: Precision = Precision.FLOAT32) -> None:
        super().__init__()
        assert networks.attributes is not None
        self.network = in_precision(networks.attributes, precision)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, R, R, 3] to float32 [B, A]."""
        attributes: Tensor = self.network(to_float(image))
        return attributes


@dataclass(frozen=True)
class _Recipe:
    """How a graph but refinement's is made.

    Attributes:
        module: what it computes.
        inputs, outputs: names of its own.
        code: what its inputs are the parts of, where they are a code of a space with several.
    """

    module: Callable[[Networks, Precision], nn.Module]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    code: CodeParts | None = None


def _recipes(networks: Networks, methods: Sequence[str], spaces: Sequence[Space]) -> dict[str, _Recipe]:
    """How each graph but refinement's is made, of those that the networks allow and the methods need."""
    recipes: dict[str, _Recipe] = {}
    if networks.encoder is not None:
        recipes[Role.ENCODE] = _encoding(networks.encoder)
    recipes[Role.MAP] = _Recipe(Map, ("z", "psi"), ("w",))
    recipes[Role.SYNTHESIZE] = _Recipe(Synthesize, ("w",), ("image",))
    measured = tuple(
        name for name in networks.metrics if networks.identity_graph is None or name != SIMILARITY
    )
    recipes[Role.ASSESS] = _Recipe(Assess, ("image", "reference"), measured)
    if networks.attributes is not None:
        recipes[Role.ATTRIBUTES] = _Recipe(Attributes, ("image",), ("attributes",))
    if networks.forced_encoder is not None and "force_in_domain" in methods:
        recipes[Role.ENCODE_FORCED] = _encoding(networks.forced_encoder)
    for space, shape in code_parts(networks, methods, spaces).items():
        module = partial(synthesis_module, space)
        recipes[shape.graph] = _Recipe(module, tuple(shape.parts), ("image",), shape)
    return recipes


def _given(networks: Networks) -> dict[Role, onnx.ModelProto]:
    """The graphs that are somebody else's, as the pack has them."""
    given = {}
    if networks.attribute_graph is not None:
        given[Role.ATTRIBUTES] = onnx.ModelProto.FromString(networks.attribute_graph)
    if networks.image_text is not None:
        given[Role.TEXT] = text_graph(networks.image_text)
    return given


def _encoding(encoder: AnyEncoder) -> _Recipe:
    return _Recipe(lambda networks, held: Encode(networks, encoder, held), ("image",), ("w",))


def _refinements(methods: Sequence[str]) -> dict[str, MethodRecipe]:
    """The refinement graphs, each by a method that runs it."""
    recipes = [METHODS[name] for name in methods]
    return {recipe.graph: recipe for recipe in recipes if recipe.graph is not None}


def roles(
    networks: Networks, methods: Sequence[str] = LIGHT, spaces: Sequence[Space] = ()
) -> tuple[str, ...]:
    """The graphs that a pack of these networks has, in the order in which they are built."""
    methods = available(networks, methods)
    return (*_recipes(networks, methods, spaces), *_given(networks), *_refinements(methods))


def all_roles() -> tuple[str, ...]:
    """Every role that a graph of any pack may have."""
    return tuple(dict.fromkeys((*Role, *(each.graph for each in METHODS.values() if each.graph is not None))))


def build_graphs(
    networks: Networks,
    max_steps: int = MAX_STEPS,
    target: Target = Target.CPU,
    precision: Precision = Precision.FLOAT32,
    methods: Sequence[str] = LIGHT,
    spaces: Sequence[Space] = (),
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Export a pack's graphs one after another.

    Args:
        networks: the pack's.
        max_steps: K, most steps of one refinement call.
        target: what they will run on.
        precision: of those that the target has it for.
        methods: ways of inverting, by name; those that the networks do not allow are left out.
        spaces: of codes, besides those that methods find codes in.

    Yields:
        The graph's role (of those in `relatent.core.graphs` what the pack has networks for, and each
        method's) and the model, free of anything that names the machine it was made on.
    """
    examples, methods = _examples(networks), available(networks, methods)
    for role, recipe in _recipes(networks, methods, spaces).items():
        inputs = example_parts(recipe.code) if recipe.code else [examples[name] for name in recipe.inputs]
        held = graph_precision(role, target, precision)
        module = recipe.module(networks, held).eval()
        if held is Precision.FLOAT16:  # rounded weights once, not those they were made of as well
            module = folded(module, inputs)
        model = clean(export_module(module, inputs, list(recipe.inputs), list(recipe.outputs)))
        if role == Role.ASSESS and networks.identity_graph is not None:
            model = with_identity(model, networks.identity_graph)
        yield role, fit(model, role) if target is Target.TENSORRT else model
    for role, model in _given(networks).items():
        yield role, fit(model, role) if target is Target.TENSORRT else model
    for role, method in _refinements(methods).items():
        held = graph_precision(role, target, precision)
        traced = trace_step(method.objective(networks, held), method.bases(networks), held)
        model = clean(assemble(traced, max_steps, target.iterate))
        yield role, fit(model, role) if target is Target.TENSORRT else model


def _examples(networks: Networks) -> dict[str, Tensor]:
    config, random = networks.generator.config, torch.Generator().manual_seed(0)
    side = config.resolution
    image = torch.randint(0, 256, (EXAMPLES, side, side, 3), generator=random, dtype=torch.uint8)
    return {
        "image": image,
        "reference": image.flip(0),
        "w": torch.randn(EXAMPLES, config.layers, config.latent_width, generator=random),
        "z": torch.randn(EXAMPLES, config.z_width, generator=random),
        "psi": torch.full((EXAMPLES, 1), 0.7),
    }
