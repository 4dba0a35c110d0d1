"""Descriptions of networks: what they say is taken, and what they get wrong is named by file and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relatent.core.attributes import Attribute
from relatent_export.attributes import description
from relatent_export.attributes.description import read_description, read_networks
from relatent_export.attributes.network import Activation, Colour, ImageNetwork, Layout, TakenAttribute


def described(folder: Path, text: str) -> ImageNetwork:
    path = folder / "own.toml"
    path.write_text(text)
    return read_description(path)


def test_the_example_is_read_as_it_stands(tmp_path: Path) -> None:
    assert description.__doc__ is not None
    network = described(tmp_path, description.__doc__.split("\n\n", 1)[1])
    smile = Attribute("smile", "Smile", "%", 0.0, 100.0, 100.0, 0.0)
    assert network == ImageNetwork(
        file=tmp_path / "smile.onnx",
        layout=Layout.NCHW,
        size=(224, 224),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        output="logits",
        activation=Activation.SOFTMAX,
        names=("neutral", "smile"),
        taken=(TakenAttribute(smile, 1),),
        source=tmp_path / "own.toml",
    )


def test_a_file_alone_is_a_description(tmp_path: Path) -> None:
    network = described(tmp_path, 'file = "models/smile.onnx"')
    assert network == ImageNetwork(tmp_path / "models/smile.onnx", source=tmp_path / "own.toml")
    assert [each.attribute.name for each in network.attributes_of(1)] == ["smile"]
    assert [each.attribute.name for each in network.attributes_of(2)] == ["smile_0", "smile_1"]


def test_numbers_are_taken_by_name_by_index_and_in_order(tmp_path: Path) -> None:
    names = 'file = "a.onnx"\nnames = ["angry", "happy", "sad"]\n'
    entries = '[[attributes]]\nname = "sad"\n[[attributes]]\nname = "joy"\nindex = 1'
    by_name = described(tmp_path, names + entries)
    assert [(each.attribute.name, each.index) for each in by_name.taken] == [("sad", 2), ("joy", 1)]
    in_order = described(tmp_path, 'file = "a.onnx"\n[[attributes]]\nname = "a"\n[[attributes]]\nname = "b"')
    assert [each.index for each in in_order.attributes_of(2)] == [0, 1]
    assert [each.attribute.name for each in described(tmp_path, names).attributes_of(3)] == [
        *("angry", "happy", "sad")
    ]


def test_flags_describe_the_graphs_and_not_what_has_a_description(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('file = "age.onnx"')
    files = [tmp_path / "own.toml", tmp_path / "Smile-2.onnx"]
    told, flagged = read_networks(files, {"colour": "BGR", "size": [64, 64]})
    assert (told.file, told.colour) == (tmp_path / "age.onnx", Colour.RGB)
    assert (flagged.file, flagged.colour, flagged.size) == (tmp_path / "Smile-2.onnx", Colour.BGR, (64, 64))
    assert flagged.attributes_of(1)[0].attribute.name == "smile_2"
    with pytest.raises(ValueError, match=r"own\.toml: colour: expected in the file, which describes"):
        read_networks(files[:1], {"colour": "BGR"})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("file = ", "expected TOML"),
        ("", "file: expected a text, got None"),
        ("file = 3", "file: expected a text, got 3"),
        ('layot = "NCHW"', "layot: expected one of file, layout, "),
        ('layout = "CHW"', "layout: expected one of NCHW, NHWC, got 'CHW'"),
        ('colour = "YUV"', "colour: expected one of RGB, BGR, GREY, got 'YUV'"),
        ("size = [224]", "size: expected 2 numbers, got [224]"),
        ("size = [224, 0.5]", "size: expected whole numbers of pixels, got [224, 0.5]"),
        ("size = [0, 4]", "size: expected a height and a width of 1 or more, got [0, 4]"),
        ("range = [1, 1]", "range: expected two numbers that differ, got [1.0, 1.0]"),
        ("range = [0, inf]", "range: expected finite numbers, got [0.0, inf]"),
        ("mean = [1, 2]", "mean: expected one number, or 3 for RGB, got [1.0, 2.0]"),
        ('mean = "much"', "mean: expected numbers, got 'much'"),
        ("std = 0", "std: expected numbers other than 0, got [0.0]"),
        ('activation = "relu"', "activation: expected one of none, sigmoid, softmax, got 'relu'"),
        ('names = "smile"', "names: expected a list of texts, got 'smile'"),
        ('names = ["a", "a"]', "names: expected each name once, got ['a', 'a']"),
        ('names = ["Smile!"]', "names[0]: expected lower-case letters, digits and underscores, got 'Smile!'"),
        ("attributes = 3", "attributes: expected tables, [[attributes]], got 3"),
        ("[[attributes]]\nindex = 1", "attributes[0].name: expected a text, got None"),
        ('[[attributes]]\nname = "A b"', "attributes[0].name: expected lower-case letters, digits and"),
        ('[[attributes]]\nname = "a"\nindex = -1', "attributes[0].index: expected a whole number, 0 or more"),
        ('[[attributes]]\nname = "a"\nmax = 1', "attributes[0].max: expected one of name, index, label"),
        ('[[attributes]]\nname = "a"\nscale = 0', "attribute 'a': scale: expected a number other than 0"),
        ('[[attributes]]\nname = "a"\nlow = true', "attributes[0].low: expected a number, got True"),
        (
            'names = ["b"]\n[[attributes]]\nname = "a"',
            "attributes[0].name: expected one of names, b, or an index",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(tmp_path: Path, text: str, what: str) -> None:
    first = "" if "file" in text or not text else 'file = "a.onnx"\n'
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'own.toml'}: {what}")):
        described(tmp_path, first + text)


def test_an_output_has_as_many_numbers_as_are_named_and_taken(tmp_path: Path) -> None:
    named = described(tmp_path, 'file = "a.onnx"\nnames = ["a", "b"]')
    with pytest.raises(ValueError, match="names: expected 3, one for each number of the output, got 2"):
        named.attributes_of(3)
    taken = described(tmp_path, 'file = "a.onnx"\n[[attributes]]\nname = "a"\nindex = 3')
    with pytest.raises(ValueError, match=r"attributes\[0\]\.index: expected less than 3, got 3"):
        taken.attributes_of(3)
