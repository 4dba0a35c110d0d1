"""Any network that makes vectors of images tells identities: in the graph, the manifest and the commands."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from relatent.core.pack import read_pack
from relatent_export.attributes.graphs import IDENTITY_GRAPH
from relatent_export.attributes.identity import adapt_identity, with_identity
from relatent_export.attributes.network import ImageNetwork
from relatent_export.attributes.trying import UnusableNetwork, open_session, sample_images
from relatent_export.cli import main
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.packs.weights import load_networks
from relatent_export.triton.graphs import build_graphs
from tests.export.attributes.networks import node, write_means


def assessment(identity: bytes) -> onnx.ModelProto:
    """What the networks' assessment becomes, of a graph that measures nothing."""
    plain = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, ["batch", 32, 32, 3])
        for name in ("image", "reference")
    ]
    none = onnx.helper.make_tensor_value_info("none", onnx.TensorProto.UINT8, ["batch", 32, 32, 3])
    graph = onnx.helper.make_graph([node("Identity", ["image"], "none")], "assess", plain, [none])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return with_identity(model, identity)


def cosines(a: Any, b: Any) -> Any:
    """Of the mean colours of images."""
    one, other = (images.mean((1, 2)).astype(float) for images in (a, b))
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("opset", [13, 18, 20])
def test_identity_is_the_cosine_of_the_networks_vectors(small: Networks, tmp_path: Path, opset: int) -> None:
    network = ImageNetwork(write_means(tmp_path / "faces.onnx", opset=opset))
    session = open_session(assessment(adapt_identity(network, small.generator)))
    images = sample_images(small.generator)
    for count in (1, 4):
        pair = {"image": images[:count], "reference": images[count : 2 * count]}
        found = session.run(["identity"], pair)[0]
        assert found.shape == (count, 1)
        np.testing.assert_allclose(found[:, 0], cosines(*pair.values()), atol=1e-5)
    same = session.run(["identity"], {"image": images, "reference": images})[0]
    np.testing.assert_allclose(same, 1, atol=1e-5)


def test_the_graph_holds_the_network_once_and_nothing_of_its_makers(small: Networks, tmp_path: Path) -> None:
    network = ImageNetwork(write_means(tmp_path / "faces.onnx"))
    identity = adapt_identity(network, small.generator)
    assert adapt_identity(network, small.generator) == identity
    model = assessment(identity)
    onnx.checker.check_model(model, full_check=True)
    assert [each.op_type for each in model.graph.node].count("GlobalAveragePool") == 1
    assert b"somebody" not in model.SerializeToString()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            [node("ReduceMean", ["means"], "answer", axes=[1])],
            "expected a vector for an image, got one number",
        ),
        ([node("Sub", ["means", "means"], "answer")], "expected vectors that point somewhere, got zeros"),
        ([node("Div", ["means", "means"], "answer")], "tell samples apart, got one for all"),
        (
            [node("Sub", ["means", "means"], "zero"), node("Div", ["means", "zero"], "answer")],
            "expected finite vectors of samples",
        ),
    ],
)
def test_what_tells_no_identities_is_refused(
    small: Networks, tmp_path: Path, answer: list[Any], why: str
) -> None:
    path = write_means(tmp_path / "faces.onnx", answer)
    with pytest.raises(UnusableNetwork, match=f"faces.onnx: .*{why}"):
        adapt_identity(ImageNetwork(path), small.generator)


def test_names_make_no_sense_of_a_vector(small: Networks, tmp_path: Path) -> None:
    network = ImageNetwork(write_means(tmp_path / "faces.onnx"), names=("r", "g", "b"))
    with pytest.raises(ValueError, match=re.escape("faces.onnx: names: expected none of a network")):
        adapt_identity(network, small.generator)


def test_a_pack_is_given_one_and_its_assessment_measures_it(
    small: Networks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = PackFacts("small", "A pack.", "MIT", "A test.", {"encoder": 0.01, "mean": 0.05})
    write_pack(tmp_path / "small", facts, small, [])
    faces = write_means(tmp_path / "faces.onnx")
    assert main(["identity", str(tmp_path / "small"), str(faces)]) == 0
    assert capsys.readouterr().out.endswith(", identity\n")
    pack = read_pack(tmp_path / "small")
    assert (*small.metrics, "identity") == pack.metrics
    networks = load_networks(tmp_path / "small")
    assert networks.identity_graph == (tmp_path / "small" / IDENTITY_GRAPH).read_bytes()
    assert networks.metrics == pack.metrics
    found = next(graph for role, graph in build_graphs(networks, methods=()) if role == "assess")
    assert tuple(value.name for value in found.graph.output) == pack.metrics
    images = sample_images(small.generator)[:4]
    values = open_session(found).run(None, {"image": images[:2], "reference": images[2:]})
    np.testing.assert_allclose(values[-1][:, 0], cosines(images[:2], images[2:]), atol=1e-5)


def test_a_pack_has_one_network_that_tells_identities(small: Networks, tmp_path: Path) -> None:
    identity = adapt_identity(ImageNetwork(write_means(tmp_path / "faces.onnx")), small.generator)
    own = ArcFace(ArcFaceConfig(channels=(4, 4, 6, 8, 10), units=(1, 1, 1, 1), reduction=2))
    with pytest.raises(ValueError, match="identity: expected one network"):
        replace(small, identity=own, identity_graph=identity)
