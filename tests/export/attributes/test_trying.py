"""What cannot be an attribute is refused in a line that names the network and the output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from relatent.core.attributes import Attribute
from relatent_export.attributes.graphs import IMAGE, READINGS, names_of, parse_graph, read_graph
from relatent_export.attributes.network import Activation, ImageNetwork, TakenAttribute
from relatent_export.attributes.trying import (
    UnusableNetwork,
    adapt_networks,
    open_session,
    sample_images,
    synthesis_reader,
)
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes
from tests.export.attributes.networks import FREE, node, write, write_means

SHARES = "one, two, three: always add up to 1, so that edits of one cannot hold all others; leave one out"


def taken(**indices: int) -> tuple[TakenAttribute, ...]:
    return tuple(TakenAttribute(Attribute(name, name), index) for name, index in indices.items())


def test_several_networks_become_one_graph_that_says_what_it_reads(small: Networks, tmp_path: Path) -> None:
    first = ImageNetwork(write_means(tmp_path / "means.onnx"), taken=taken(red=0, blue=2))
    second = ImageNetwork(write_means(tmp_path / "more.onnx"), high=100.0, taken=taken(green=1))
    adapted = adapt_networks([first, second], small.generator)
    assert [attribute.name for attribute in adapted.attributes] == ["red", "blue", "green"]
    model = parse_graph(adapted.graph)
    assert names_of(model, 32) == ("red", "blue", "green")
    assert b"somebody" not in adapted.graph
    images = sample_images(small.generator)
    found = open_session(model).run([READINGS], {IMAGE: images})[0]
    expected = images.mean((1, 2))[:, [0, 2, 1]] / 255 * [1, 1, 100]
    assert found == pytest.approx(expected, rel=1e-4)
    again = adapt_networks([first, second], small.generator)
    assert again.graph == adapted.graph


def test_what_answers_differ_by_does_not_depend_on_a_batch(small: Networks, tmp_path: Path) -> None:
    adapted = adapt_networks([ImageNetwork(write_means(tmp_path / "means.onnx"))], small.generator)
    session, images = open_session(parse_graph(adapted.graph)), sample_images(small.generator)
    together = session.run([READINGS], {IMAGE: images})[0]
    alone = np.concatenate([session.run([READINGS], {IMAGE: image[None]})[0] for image in images])
    assert together == pytest.approx(alone, abs=1e-6)


def test_codes_are_read_as_their_images_are_but_for_the_rounding(small: Networks, tmp_path: Path) -> None:
    adapted = adapt_networks([ImageNetwork(write_means(tmp_path / "means.onnx"))], small.generator)
    codes = small.generator.codes(torch.randn(3, 8, generator=torch.Generator().manual_seed(2)), 1.0)
    read = synthesis_reader(adapted.graph, small.generator.synthesis)
    images = to_bytes(small.generator.synthesis(codes)).numpy()
    expected = open_session(parse_graph(adapted.graph)).run([READINGS], {IMAGE: images})[0]
    found = read(codes.numpy())
    assert found == pytest.approx(expected, abs=0.5 / 255)
    assert not np.array_equal(found, expected)


def test_shares_of_a_whole_are_told(small: Networks, tmp_path: Path) -> None:
    file, lines = write_means(tmp_path / "means.onnx"), list[str]()
    network = ImageNetwork(file, activation=Activation.SOFTMAX, names=("one", "two", "three"))
    adapt_networks([network], small.generator, lines.append)
    assert lines == [f"{file}: {SHARES}"]
    adapt_networks([ImageNetwork(file, activation=Activation.SOFTMAX, taken=taken(one=0))], small.generator)
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("more", "weights", "what"),
    [
        (
            [node("Mul", ["means", "zero"], "answer")],
            {"zero": np.float32(0)},
            "tell samples apart, got 0 for all",
        ),
        (
            [node("Neg", ["means"], "less"), node("Log", ["less"], "answer")],
            {},
            "finite answers to samples, got nan",
        ),
        (
            [node("Div", ["means", "zero"], "answer")],
            {"zero": np.float32(0)},
            "finite answers to samples, got inf",
        ),
    ],
    ids=["constant", "nan", "infinite"],
)
def test_answers_that_say_nothing_are_refused_by_the_outputs_name(
    small: Networks, tmp_path: Path, more: list[onnx.NodeProto], weights: dict[str, Any], what: str
) -> None:
    network = ImageNetwork(write_means(tmp_path / "own.onnx", more, weights=weights), taken=taken(smile=1))
    with pytest.raises(UnusableNetwork, match=rf"own\.onnx: smile: expected .*{what}"):
        adapt_networks([network], small.generator)


def test_a_network_that_is_made_for_one_image_is_refused(small: Networks, tmp_path: Path) -> None:
    nodes = [
        node("GlobalAveragePool", ["picture"], "pooled"),
        node("Reshape", ["pooled", "shape"], "answer"),
    ]
    dims = (1, 3, 8, 8)
    crash = write(tmp_path / "crash.onnx", nodes, dims, {"shape": np.array([1, 3])})
    joins = write(tmp_path / "joins.onnx", nodes, dims, {"shape": np.array([1, -1])})
    for file in (crash, joins):
        with pytest.raises(UnusableNetwork, match=rf"{file.name}: expected a .*image"):
            adapt_networks([ImageNetwork(file)], small.generator)


def test_answers_that_depend_on_the_batch_are_refused(small: Networks, tmp_path: Path) -> None:
    more = [
        node("ReduceMean", ["means"], "over_all", axes=[0], keepdims=1),
        node("Sub", ["means", "over_all"], "apart"),
        node("Add", ["apart", "means"], "answer"),
    ]
    file = write_means(tmp_path / "batch.onnx", more)
    with pytest.raises(
        UnusableNetwork, match=r"batch\.onnx: expected answers that do not depend on what else"
    ):
        adapt_networks([ImageNetwork(file)], small.generator)


def test_a_network_that_does_not_run_is_refused(small: Networks, tmp_path: Path) -> None:
    nodes = [node("MatMul", ["picture", "wrong"], "answer")]
    file = write(tmp_path / "wrong.onnx", nodes, (FREE, 3, 8, 8), {"wrong": np.ones((5, 2), np.float32)})
    with pytest.raises(UnusableNetwork, match=r"wrong\.onnx: it does not run: "):
        adapt_networks([ImageNetwork(file)], small.generator)


def test_attributes_share_no_name(small: Networks, tmp_path: Path) -> None:
    network = ImageNetwork(write_means(tmp_path / "means.onnx"), taken=taken(smile=1))
    with pytest.raises(ValueError, match="expected each name once, got 'smile' again"):
        adapt_networks([network, network], small.generator)


def test_weights_outside_of_the_file_and_other_files_are_refused(tmp_path: Path) -> None:
    inside = write_means(
        tmp_path / "means.onnx",
        [node("Add", ["means", "more"], "answer")],
        weights={"more": np.zeros(3, np.float32)},
    )
    model = onnx.load(inside)
    (weight,) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../elsewhere")
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(
        ValueError, match=r"outside\.onnx: more: expected weights inside the file, got external"
    ):
        read_graph(tmp_path / "outside.onnx")
    (tmp_path / "other.onnx").write_bytes(b"\x80\x04anything")
    with pytest.raises(ValueError, match=r"other\.onnx: expected an ONNX graph, got"):
        read_graph(tmp_path / "other.onnx")
