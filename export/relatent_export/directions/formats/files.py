"""Edit directions as they are published, for packs.

    what                  holds                                                  a unit of strength is
    InterFaceGAN          `.npy` [1, D], unit norm, of Z or W                    1
    idinvert              `.npy`, an object: boundary [1, L, D], rows to move    1 a row
    StyleFeatureEditor    `.npy` [1, L * D], unit norm as a whole                each row's part of 1
    e4e family            `.pt` [1, D] or [1, L, D]                              the rows' own norms
    GANSpace              `.pt` or `.npz` of mean, components, deviations        one standard deviation
    GANSpace's viewer     `.pkl` of one component, with the rows to move         one standard deviation

Whatever it is, a relative strength s adds s times the file's own numbers (`relatent.core.directions`). No file
but GANSpace's holds a bias, so it is 0: the boundary through the origin, as InterFaceGAN's own code has it.
Nothing was measured on this generator: calibration is 0, and the strengths' range is that which the
publishing code uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.directions.formats.doubts import doubt_of
from relatent_export.directions.formats.ganspace import (
    SLIDER,
    GanspaceEdit,
    components_of,
    is_ganspace,
    read_components,
)
from relatent_export.directions.formats.ganspace_exports import exported_edit, is_edit, read_exported
from relatent_export.directions.formats.rows import (
    Description,
    Numbers,
    check_shape,
    direction,
    norms_of,
    numbers,
    rows_of,
)

_INTERFACEGAN = 3.0
"""How far InterFaceGAN's and idinvert's scripts go unless told otherwise."""
_E4E = 5.0
"""What the e4e family shows its directions with."""
_STYLE_FEATURES = 10.0
"""What StyleFeatureEditor's list says works for all of its directions."""

_WIDTH = 512
"""Of a row in every generator that directions are published for; only descriptions take it for granted."""
_STYLE_CHANNELS, _CLIP_WIDTH = 1000, 512
"""StyleCLIP's `fs3.npy` has a row for each style channel (6048 at 1024 px), as wide as CLIP's embeddings."""


class SpaceUntold(Refused):
    """A single row that may be of W or of Z, in a file whose name does not tell which."""


def read_directions(
    data: Any,
    path: Path,
    layers: int,
    width: int,
    z_width: int,
    *,
    name: str = "",
    space: Space | None = None,
    edits: Mapping[str, GanspaceEdit] | None = None,
    licence: str = "",
    source: str = "",
) -> list[Direction]:
    """Make directions of what a published file holds: one, or several of GANSpace's.

    Args:
        data: what `read_checkpoint` read.
        path: the file.
        layers: rows of the generator's codes.
        width: numbers of a row.
        z_width: width of its mapping network's input.
        name: lower-case letters, digits and underscores; made of the file's name if empty. GANSpace's
            components are called so with a number, `NAME_00`.
        space: Z or W, for a single row, which does not tell. If None, the file's name does, as InterFaceGAN's
            are called (`..._w_boundary.npy`, and `..._boundary.npy` for Z); a `.pt` is of W.
        edits: of GANSpace's components, what to take, by name; each component on all layers if None.
        licence: of the directions; the file holds none.
        source: where they come from; the format's and the file's name if empty.

    Raises:
        Refused: the file holds no direction, or one of another generator.
        ValueError: the name is none.
    """
    what = str(path)
    if edits is not None and not is_ganspace(data):
        raise Refused(f"{path}: edits are of GANSpace's components, and this file holds none")

    def described(kind: str, reach: float) -> Description:
        return Description(name or _name_of(path), source or f"{kind}, {path.name}", licence, reach)

    if is_ganspace(data):
        about = described("GANSpace", SLIDER)
        components = read_components(data, layers, width, z_width, about, edits, what)
        _check_space(space, components[0].space, what)
        return components
    if is_edit(data):
        name = name or _name_of_edit(data, path)
        edit = read_exported(data, layers, width, z_width, described("GANSpace", SLIDER), what)
        _check_space(space, edit.space, what)
        return [edit]
    if isinstance(data, Mapping) and "boundary" in data:
        _check_space(space, Space.W_PLUS, what)
        return [_idinvert(data, layers, width, described("idinvert", _INTERFACEGAN), what)]
    if not isinstance(data, np.ndarray | torch.Tensor):
        raise UnknownFile(f"{path}: expected a direction, got a {type(data).__name__}")
    array = numbers(data, what)
    _refuse_style_relevance(array, what)
    single = array.ndim == 1 and len(array) in (width, z_width)
    description = described(*_published(data, array, single))
    if single and space is None:
        space = Space.W if isinstance(data, torch.Tensor) else _space_of(path)
    if single and space is Space.Z:
        return [_of_z(array, z_width, description, what)]
    rows, found = rows_of(array, layers, width, what)
    _check_space(space, found, what)
    return [direction(rows, found, description, what)]


def describe_directions(data: Any, path: Path) -> dict[str, str]:
    """Describe what a file of directions holds whose generator is not known, in lines by their titles.

    Raises:
        Refused: the file holds no direction that any generator could take. Whether rows and their width fit
            is judged with a generator only.
    """
    what = str(path)
    if is_edit(data):
        _name_of_edit(data, path)
    else:
        _name_of(path)
    if is_ganspace(data):
        count, width, of = components_of(data, what)
        return {"directions": f"GANSpace, {count} components", "space": f"{of.upper()}, {width} numbers"}
    if is_edit(data):
        found = exported_edit(data, what)
        rows_moved = f"rows {found.edit.first_layer} to {found.edit.last_layer}"
        return {
            "direction": f"GANSpace, component {found.edit.component}, {rows_moved}",
            "space": f"{found.space.upper()}, {found.row.size} numbers",
        }
    if isinstance(data, Mapping) and "boundary" in data:
        rows = numbers(data["boundary"], f"{what}: boundary")
        check_shape(rows, what)
        norms_of(_moved(data, _rows(rows), what), what)
        chosen = ", ".join(map(str, _chosen(data, what))) or "all"
        return {"direction": f"idinvert, moves layers {chosen}", "space": f"W+, {_rows_text(rows)}"}
    array = numbers(data, what)
    _refuse_style_relevance(array, what)
    check_shape(array, what)
    norms_of(array, what)
    single = array.ndim == 1 and not (array.size > _WIDTH and array.size % _WIDTH == 0)
    kind, _ = _published(data, array, single)
    doubt = doubt_of(path, _rows(array))
    doubts = {"doubt": doubt} if doubt else {}
    if not single:
        return {"direction": kind, "space": f"W+, {_rows_text(array)}", **doubts}
    try:
        space = "W" if isinstance(data, torch.Tensor) else _space_of(path).upper()
    except Refused:
        space = "W or Z, which its name does not tell"
    return {"direction": kind, "space": f"{space}, {array.size} numbers", **doubts}


def _published(data: Any, array: Numbers, single: bool) -> tuple[str, float]:
    """Who publishes such files, and how far their strengths go."""
    if isinstance(data, torch.Tensor):
        return "e4e family", _E4E
    if single:
        return "InterFaceGAN", _INTERFACEGAN
    return ("StyleFeatureEditor", _STYLE_FEATURES) if array.ndim == 1 else ("a row a layer", _INTERFACEGAN)


def _rows(array: Numbers) -> Numbers:
    return array.reshape(-1, _WIDTH) if array.ndim == 1 and array.size % _WIDTH == 0 else np.atleast_2d(array)


def _rows_text(array: Numbers) -> str:
    rows = _rows(array)
    return f"{len(rows)} rows of {rows.shape[-1]} numbers"


def _of_z(array: Numbers, z_width: int, description: Description, what: str) -> Direction:
    if len(array) != z_width:
        raise UnsupportedFile(
            f"{what}: expected {z_width} numbers, as this generator's mapping network takes, got {len(array)}"
        )
    return direction(array[None], Space.Z, description, what)


def _idinvert(
    data: Mapping[str, Any], layers: int, width: int, description: Description, what: str
) -> Direction:
    rows, _ = rows_of(numbers(data["boundary"], f"{what}: boundary"), layers, width, what)
    return direction(_moved(data, rows, what), Space.W_PLUS, description, what)


def _moved(data: Mapping[str, Any], rows: Numbers, what: str) -> Numbers:
    """A boundary for each row, and 0 for those that are not to move: none where none are named."""
    wanted = _chosen(data, what) or list(range(len(rows)))
    if not 0 <= min(wanted) <= max(wanted) < len(rows):
        raise UnsupportedFile(f"{what}: manipulate_layers: expected 0 to {len(rows) - 1}, got {wanted}")
    kept = np.zeros_like(rows)
    kept[wanted] = rows[wanted]
    return kept


def _chosen(data: Mapping[str, Any], what: str) -> list[int]:
    """The rows that idinvert's file names; empty if it names none."""
    about = data.get("meta_data")
    values = about.get("manipulate_layers", []) if isinstance(about, Mapping) else []
    items = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(items, list | tuple) or not all(type(item) is int for item in items):
        raise DamagedFile(f"{what}: manipulate_layers: expected a list of whole numbers, got {values!r:.80}")
    return list(items)


def _refuse_style_relevance(array: Numbers, what: str) -> None:
    if array.ndim == 2 and len(array) >= _STYLE_CHANNELS and array.shape[1] == _CLIP_WIDTH:
        raise UnsupportedFile(
            f"{what}: StyleCLIP's relevance of {len(array)} style channels (fs3.npy). It becomes a direction "
            "of style space by way of CLIP's text encoder, and neither is supported; directions of Z, W and "
            "W+ are"
        )


def _check_space(given: Space | None, found: Space, what: str) -> None:
    if given not in (None, found):
        raise Refused(f"{what}: space: it is of {found.upper()}, not of {given.upper()}")


def _space_of(path: Path) -> Space:
    """Z or W by what InterFaceGAN's files and folders are called."""
    stem = path.stem.lower()
    if stem.endswith("_boundary"):
        return Space.W if stem.endswith("_w_boundary") else Space.Z
    folder = path.parent.name.lower()
    if stem.startswith("boundary_") and folder.endswith(("_w", "_z")):
        return Space(folder[-1])
    raise SpaceUntold(
        f"{path}: a single row does not tell its space: say whether it is of W or Z, or call it as "
        "InterFaceGAN does, NAME_w_boundary.npy for W and NAME_boundary.npy for Z"
    )


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def _name_of_edit(data: Mapping[str, Any], path: Path) -> str:
    return _slug(str(data.get("name", ""))) or _name_of(path)


def _name_of(path: Path) -> str:
    name = _slug(path.stem)
    if not name:
        raise Refused(f"{path}: expected a file name with letters a to z or digits, to call the direction by")
    return name
