"""Synthesis by styles is the generator's own, in both families, and its graph is the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor

from relatent.core.spaces import Space
from relatent_export.compile.onnx import export_module
from relatent_export.compile.precision import Precision, synthesis_in
from relatent_export.nets.networks import AnyGenerator, Networks
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.nets.styles import StyleSynthesis
from relatent_export.objectives.spaces import SPACES, example_parts, synthesis_module
from tests.export.nets.test_offsets import codes

STYLEGAN2 = GeneratorConfig(16, 8, 2, (8, 6, 4), noise=True)
STYLEGAN1 = StyleGAN1Config(16, 8, 8, 2, 8, (8, 6, 4))


@pytest.fixture(scope="module", params=["stylegan1", "stylegan2"])
def generator(request: pytest.FixtureRequest) -> AnyGenerator:
    torch.manual_seed(5)
    made: AnyGenerator = Generator(STYLEGAN2) if request.param == "stylegan2" else StyleGAN1(STYLEGAN1)
    made.eval().requires_grad_(False)
    for name, numbers in made.synthesis.state_dict().items():  # which would be nothing, or all alike
        if name.endswith(("const", "noise_strength")):
            numbers.normal_()
    return made


@pytest.mark.parametrize(("precision", "within"), [(Precision.FLOAT32, 1e-6), (Precision.FLOAT16, 2e-2)])
def test_the_styles_of_codes_make_the_images_that_the_codes_make(
    generator: AnyGenerator, precision: Precision, within: float
) -> None:
    w, styled = codes(generator, 3), StyleSynthesis(generator, precision.dtype)
    made = styled(styled.styles(w))
    torch.testing.assert_close(made, synthesis_in(generator.synthesis, precision)(w), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(made, generator.synthesis(w), atol=within, rtol=within)


def test_each_styled_layer_tells_its_width_its_row_and_whether_it_colours() -> None:
    styled = StyleSynthesis(Generator(STYLEGAN2))
    assert styled.widths == [8, 8, 8, 6, 6, 6, 4, 4]
    assert styled.rows == [0, 1, 1, 2, 3, 3, 4, 5]
    assert styled.coloured == [False, True, False, False, True, False, False, True]
    styled = StyleSynthesis(StyleGAN1(STYLEGAN1))
    assert styled.widths == [16, 16, 12, 12, 8, 8]  # scales and shifts
    assert styled.rows == [0, 1, 2, 3, 4, 5]
    assert not any(styled.coloured)


def test_a_row_of_a_code_makes_its_own_layers_styles_and_no_others(generator: AnyGenerator) -> None:
    styled, w = StyleSynthesis(generator), codes(generator, 1)
    before = torch.split(styled.styles(w), styled.widths, 1)
    for row in range(generator.config.layers):
        other = w.clone()
        other[:, row] += 1
        after = torch.split(styled.styles(other), styled.widths, 1)
        moved = [not torch.equal(*each) for each in zip(before, after, strict=True)]
        assert moved == [each == row for each in styled.rows]


def seen(styled: StyleSynthesis, run: Callable[[], Tensor]) -> list[Tensor]:
    """What each layer gives out, in the order in which they run; the image last."""
    found: list[Tensor] = []
    layers = [*styled.synthesis.layers, *getattr(styled.synthesis, "to_rgbs", ())]
    kept = [(layer, layer.styled) for layer in layers]

    def spy(own: Callable[..., Any], *given: Any) -> Any:
        made = own(*given)
        found.append(made if isinstance(made, Tensor) else made.values)
        return made

    for layer, own in kept:
        layer.styled = partial(spy, own)
    image = run()
    for layer, _ in kept:
        del layer.styled
    return [*found, image]


def test_one_channel_changes_only_what_follows_it(generator: AnyGenerator) -> None:
    styled, w = StyleSynthesis(generator), codes(generator, 1)
    styles = styled.styles(w)
    before = seen(styled, partial(styled, styles))
    for place, last in enumerate(accumulate(styled.widths)):
        moved = styles.clone()
        moved[:, last - 1] += 2
        after = seen(styled, partial(styled, moved))
        same = [torch.equal(*each) for each in zip(before, after, strict=True)]
        assert all(same[:place])
        assert not same[place]
        assert not same[-1]
        if styled.coloured[place]:  # what colours changes no maps, and so only what colours later
            assert same[place + 1 : -1] == [not colours for colours in styled.coloured[place + 1 :]]


def test_samples_do_not_see_each_other(generator: AnyGenerator) -> None:
    styled = StyleSynthesis(generator)
    styles = styled.styles(codes(generator, 3))
    torch.testing.assert_close(styled(styles)[1:2], styled(styles[1:2]), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_graph_makes_what_pytorch_makes_and_of_no_change_the_plain_image(
    generator: AnyGenerator,
) -> None:
    networks = Networks(generator)
    parts = SPACES[Space.STYLE](networks)
    assert parts.graph == "synthesize_style"
    assert parts.parts["styles"].shape == (sum(StyleSynthesis(generator).widths),)
    module = synthesis_module(Space.STYLE, networks, Precision.FLOAT32).eval()
    model = export_module(module, example_parts(parts), [*parts.parts], ["image"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    w = codes(generator, 3)
    styles = torch.randn(3, *parts.parts["styles"].shape, generator=torch.Generator().manual_seed(3))
    for batch in (1, 3):
        given = {"w": w[:batch].numpy(), "styles": styles[:batch].numpy()}
        (image,) = session.run(None, given)
        assert_as_good_as(torch.from_numpy(image), module(w[:batch], styles[:batch]))
        (plain,) = session.run(None, {**given, "styles": 0 * given["styles"]})
        assert_as_good_as(torch.from_numpy(plain), to_bytes(generator.synthesis(w[:batch])))
        assert (image != plain).any()


def assert_as_good_as(image: Tensor, expected: Tensor) -> None:
    """The same bytes, but for where rounding goes the other way."""
    assert image.dtype is torch.uint8
    assert image.shape == expected.shape
    assert (image.int() - expected.int()).abs().max() <= 1
