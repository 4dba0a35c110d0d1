"""What a network is given inside a pack's graph is what its own preprocessing would have given it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from PIL import Image

from relatent_export.attributes.adapting import adapt
from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.attributes.joining import join, take
from relatent_export.attributes.network import Activation, Colour, ImageNetwork, Layout
from relatent_export.attributes.trying import open_session
from tests.export.attributes.networks import FREE, node, write, write_means, write_seen

SIDE = 12
IMAGES = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


def answers(model: onnx.ModelProto, images: NDArray[np.uint8] = IMAGES) -> NDArray[np.float32]:
    readings: NDArray[np.float32] = open_session(model).run([READINGS], {IMAGE: images})[0]
    return readings


def prepared(network: ImageNetwork, size: tuple[int, int]) -> NDArray[np.float64]:
    """What the network's own preprocessing makes of images, by Pillow and NumPy: [B, height, width, C]."""
    images = IMAGES.astype(np.float64)
    if network.colour is Colour.BGR:
        images = images[..., ::-1]
    if network.colour is Colour.GREY:
        images = (images @ [0.299, 0.587, 0.114])[..., None]
    height, width = size
    if SIDE % height == 0 and SIDE % width == 0:
        windows = images.reshape(len(images), height, SIDE // height, width, SIDE // width, -1)
        images = windows.mean((2, 4))
    else:
        images = np.stack(
            [
                np.stack([_resized(channel, size) for channel in np.moveaxis(image, -1, 0)], axis=-1)
                for image in images
            ]
        )
    scaled = network.low + (network.high - network.low) * images / 255
    seen: NDArray[np.float64] = (scaled - np.array(network.mean)) / np.array(network.std)
    return seen


def _resized(channel: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    image = Image.fromarray(channel.astype(np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("size", [(12, 12), (6, 4), (8, 8), (5, 7), (18, 30)], ids=str)
def test_a_network_sees_what_its_own_preprocessing_would_give_it(
    tmp_path: Path, layout: Layout, colour: Colour, size: tuple[int, int]
) -> None:
    channels = 1 if colour is Colour.GREY else 3
    dims = (FREE, channels, *size) if layout is Layout.NCHW else (FREE, *size, channels)
    normal: dict[str, Any] = {"low": -1.0, "high": 1.0}
    if colour is Colour.BGR:
        normal = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    network = ImageNetwork(write_seen(tmp_path / "seen.onnx", dims), colour=colour, **normal)
    expected = prepared(network, size)
    if layout is Layout.NCHW:
        expected = expected.transpose(0, 3, 1, 2)
    found = answers(adapt(network, SIDE))
    assert found == pytest.approx(expected.reshape(3, -1), abs=2e-5)


def test_a_size_that_the_graph_leaves_open_is_the_descriptions(tmp_path: Path) -> None:
    file = write_seen(tmp_path / "seen.onnx", (FREE, 3, "H", "W"))
    network = ImageNetwork(file, size=(6, 6), high=255.0)
    assert answers(adapt(network, SIDE)) == pytest.approx(
        prepared(network, (6, 6)).transpose(0, 3, 1, 2).reshape(3, -1), abs=1e-3
    )
    with pytest.raises(ValueError, match=r"seen\.onnx: size: expected a height and a width"):
        adapt(ImageNetwork(file), SIDE)


def test_a_batch_of_one_is_freed_and_half_precision_is_cast(tmp_path: Path) -> None:
    network = ImageNetwork(write_seen(tmp_path / "seen.onnx", (1, 3, 6, 6), TensorProto.FLOAT16))
    found = answers(adapt(network, SIDE))
    assert found.dtype == np.float32
    assert found == pytest.approx(prepared(network, (6, 6)).transpose(0, 3, 1, 2).reshape(3, -1), abs=1e-3)


def test_answers_are_activated(tmp_path: Path) -> None:
    file = write_means(tmp_path / "means.onnx")
    plain, sigmoid, softmax = (
        answers(adapt(ImageNetwork(file, high=4.0, activation=activation), SIDE))
        for activation in (Activation.NONE, Activation.SIGMOID, Activation.SOFTMAX)
    )
    assert sigmoid == pytest.approx(1 / (1 + np.exp(-plain)), abs=1e-6)
    exponents = np.exp(plain)
    assert softmax == pytest.approx(exponents / exponents.sum(1, keepdims=True), abs=1e-6)


def test_numbers_are_taken_in_any_order_and_networks_of_several_opsets_joined(tmp_path: Path) -> None:
    first = ImageNetwork(write_means(tmp_path / "first.onnx", opset=13))
    second = ImageNetwork(
        write_means(tmp_path / "second.onnx", opset=17), colour=Colour.BGR, low=1.0, high=0.0
    )
    plain = answers(adapt(first, SIDE))
    model = join([take(adapt(first, SIDE), [2, 0]), take(adapt(second, SIDE), [0])])
    onnx.checker.check_model(model, full_check=True)
    expected = np.stack([plain[:, 2], plain[:, 0], 1 - plain[:, 2]], axis=1)
    assert answers(model) == pytest.approx(expected, abs=1e-6)
    sizes = [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim]
    assert sizes == [0, 3]


def test_a_network_of_an_old_opset_is_converted(tmp_path: Path) -> None:
    old = [
        node("GlobalAveragePool", ["picture"], "pooled"),
        node("Flatten", ["pooled"], "flat", axis=1),
        node("Softmax", ["flat"], "answer", axis=1),
    ]
    file = write(tmp_path / "old.onnx", old, (FREE, 3, 8, 8), opset=9)
    found = answers(adapt(ImageNetwork(file), SIDE))
    assert found.sum(1) == pytest.approx(1.0, abs=1e-6)


def test_one_of_several_outputs_is_chosen_by_name(tmp_path: Path) -> None:
    more = [node("Neg", ["means"], "age"), node("Exp", ["means"], "smile")]
    file = write_means(tmp_path / "means.onnx", more, outputs=("age", "smile"))
    age, smile = (answers(adapt(ImageNetwork(file, output=name), SIDE)) for name in ("age", "smile"))
    assert smile == pytest.approx(np.exp(-age), abs=1e-6)
    for said in ("", "mood"):
        with pytest.raises(ValueError, match=r"means\.onnx: output: expected one of age, smile, got"):
            adapt(ImageNetwork(file, output=said), SIDE)


@pytest.mark.parametrize(
    ("dims", "kind", "said", "what"),
    [
        ((FREE, 3, 3, 3), TensorProto.FLOAT, {}, "layout: expected NCHW or NHWC, which the input's shape"),
        ((FREE, 4, 8, 8), TensorProto.FLOAT, {"layout": Layout.NCHW}, "colour: expected one of 4 channels"),
        (
            (FREE, 3, 8, 8),
            TensorProto.FLOAT,
            {"size": (9, 8)},
            r"size: expected \[8, 8\], as the graph fixes it",
        ),
        ((FREE, 192), TensorProto.FLOAT, {}, r"picture: expected an input of 4 axes, got \[0, 192\]"),
        ((FREE, 3, 8, 8), TensorProto.INT64, {}, "picture: expected an input of floats, got INT64"),
    ],
)
def test_an_input_that_is_not_as_described_is_refused(
    tmp_path: Path, dims: tuple[int | str, ...], kind: int, said: dict[str, Any], what: str
) -> None:
    network = ImageNetwork(write_seen(tmp_path / "seen.onnx", dims, kind), **said)
    with pytest.raises(ValueError, match=rf"seen\.onnx: {what}"):
        adapt(network, SIDE)
