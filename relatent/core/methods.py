"""Methods of inverting, as a pack's manifest describes them.

    [methods.hybrid]
    graph = "refine"            role of its refinement graph, the model NAME_refine; none: it starts and ends
    encoder = "encode"          role of the graph that its encoder's start is from
    space = "w+"                of the codes that it finds
    max_steps = 10              most steps of one call of the graph (K)
    default_steps = 100         of an inversion unless the caller says otherwise

    [methods.hybrid.rates]      where it may start, the default first, and Adam's step size from there:
    encoder = 0.0007            from the encoder's code, for packs with an encoder
    mean = 0.002                from the mean latent
    latent = 0.0007             from a code that the caller gives

    [methods.hybrid.terms]      the objective's terms and their weights: graph inputs `weight.NAME`
    pixel = 1.0

    [methods.hybrid.inputs.mask]    a further input of the graph, one value a sample
    dtype = "uint8"
    shape = [64, 64]
    default = 255

    [methods.hybrid.state.w]    a tensor of the optimiser's state: `state.NAME` in, `next.NAME` out
    shape = [10, 128]
    initial = "code"            what it holds before the first step: code, codes, zeros or infinity

    [methods.hybrid.answer]     which tensor of the state is which part of the code that is the answer
    w = "best_w"

    [methods.hybrid.measured]   what it was measured to reach in its default steps, where it was
    mse = 0.00026

Besides those, every refinement graph takes `target` uint8 [R, R, 3], `learning_rate` float32 [1] and `steps`
int32 [1], and gives `losses` float32 [K]: the loss before each step, NaN behind the last. Whoever runs
methods knows them from here alone, so a new one needs no code of theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.degradation import COLOUR, COLUMNS, KNOWN, ROWS
from relatent.core.graphs import MOVE, Role
from relatent.core.spaces import CODE, WITHOUT_CODES, Space

NAME = r"[a-z][a-z0-9_]*"
"""What packs, methods and graphs' roles may be called."""
OWN_INPUTS = ("target", "learning_rate", "steps")
"""What every refinement graph takes besides its state and weights."""
TEXT_INPUT = "text"
"""The further input of a method that says how an image's vector is to be moved, float32 [E]."""


class StartRule(StrEnum):
    """Where a refinement may start, other than where an earlier one ended."""

    ENCODER = "encoder"
    """The encoder's code of the image."""
    MEAN = "mean"
    """The mean latent."""
    LATENT = "latent"
    """A code that the caller gives."""


class Initial(StrEnum):
    """What a tensor of the state holds before the first step."""

    CODE = "code"
    """The code that refinement starts from; its mean over the layers where the tensor has none."""
    CODES = "codes"
    """That code, and behind it codes of samples, as many as the tensor has room for."""
    ZEROS = "zeros"
    INFINITY = "infinity"


@dataclass(frozen=True)
class StateTensor:
    """A tensor of a method's state, float32.

    Attributes:
        shape: without the batch axis.
        initial: what it holds before the first step.
    """

    shape: tuple[int, ...]
    initial: Initial


@dataclass(frozen=True)
class FurtherInput:
    """An input of a refinement graph that a caller may give, one value a sample.

    Attributes:
        dtype: NumPy's name of it.
        shape: without the batch axis.
        default: the number that fills it where nothing is given.
    """

    dtype: str
    shape: tuple[int, ...]
    default: float

    def filled(self) -> NDArray[Any]:
        """What it holds where nothing is given, without the batch axis."""
        return np.full(self.shape, self.default, np.dtype(self.dtype))


@dataclass(frozen=True)
class Method:
    """A way of inverting that a pack has.

    Attributes:
        name: unique in the pack.
        graph: role of its refinement graph, which several methods may share; None: it ends where it starts.
        encoder: role of the graph that gives the encoder's code to start from.
        space: of the codes that it finds.
        max_steps: most steps of one call of the graph (K).
        default_steps: steps of an inversion unless the caller says otherwise.
        rates: where refinement may start, the default first, and Adam's step size from there, in the
            coordinates that the graph steps in.
        terms: default weight of each term of the objective.
        state: the state's tensors by name.
        answer: the state's tensor that holds each part of the code that is the answer.
        inputs: further inputs by name.
        measured: what it was measured to reach in its default steps, by the figure's name.
    """

    name: str
    graph: str | None
    space: Space
    max_steps: int
    default_steps: int
    rates: Mapping[StartRule, float]
    terms: Mapping[str, float]
    state: Mapping[str, StateTensor]
    answer: Mapping[str, str]
    inputs: Mapping[str, FurtherInput] = field(default_factory=dict)
    encoder: str = Role.ENCODE
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def codes(self) -> int:
        """How many codes of W+ its state begins with: the start's, and those of samples."""
        return max(
            (tensor.shape[0] for tensor in self.state.values() if tensor.initial is Initial.CODES), default=1
        )

    @property
    def takes_text(self) -> bool:
        """Whether it makes images what a text says, in place of what they are."""
        return TEXT_INPUT in self.inputs

    @property
    def restores(self) -> bool:
        """Whether it makes images that, degraded as the given one was, are the given one."""
        return {COLOUR, ROWS, COLUMNS, KNOWN} <= self.inputs.keys()

    @property
    def reconstructs(self) -> bool:
        """Whether it makes images as they are, which is what methods are compared by."""
        return not self.takes_text and not self.restores

    @property
    def default_start(self) -> StartRule:
        """Where refinement starts unless the caller says otherwise."""
        return next(iter(self.rates))


def read_method(name: str, table: Mapping[str, Any]) -> Method:
    """Read a method off its table in a manifest.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    what = f"methods.{name}"
    if not re.fullmatch(NAME, name):
        raise ValueError(f"{what}: expected a name of lower-case letters, digits and underscores")
    graph = table.get("graph")
    other = graph in list(Role) or str(graph).startswith(MOVE)
    if graph is not None and (other or not re.fullmatch(NAME, graph)):
        raise ValueError(f"{what}.graph: expected the role of a refinement graph, got {graph!r}")
    if (space := table["space"]) not in set(Space) - set(WITHOUT_CODES):
        raise ValueError(f"{what}.space: expected a space that codes are of, got {space!r}")
    starts = list(table["rates"])
    if not starts or not set(starts) <= set(StartRule):
        raise ValueError(f"{what}.rates: expected one or more of {', '.join(StartRule)}, got {starts}")
    _require(f"{what}.answer", (CODE,), table["answer"])
    _require(f"{what}.state", tuple(table["answer"].values()), table["state"])
    method = Method(
        name=name,
        graph=graph,
        space=Space(space),
        max_steps=int(table["max_steps"]),
        default_steps=int(table["default_steps"]),
        rates={
            StartRule(start): finite(f"{what}.rates.{start}", rate) for start, rate in table["rates"].items()
        },
        terms={term: finite(f"{what}.terms.{term}", weight) for term, weight in table["terms"].items()},
        state={
            tensor: StateTensor(tuple(entry["shape"]), Initial(entry["initial"]))
            for tensor, entry in table["state"].items()
        },
        answer=dict(table["answer"]),
        inputs={
            further: _read_input(f"{what}.inputs.{further}", further, entry)
            for further, entry in table.get("inputs", {}).items()
        },
        encoder=str(table.get("encoder", Role.ENCODE)),
        measured={
            name: finite(f"{what}.measured.{name}", value)
            for name, value in table.get("measured", {}).items()
        },
    )
    if method.max_steps < 1 or method.default_steps < 0:
        raise ValueError(f"{what}: expected max_steps of at least 1 and default_steps of at least 0")
    if graph is None and method.default_steps > 0:
        raise ValueError(f"{what}: expected default_steps of 0 where there is no graph")
    return method


def method_table(method: Method) -> dict[str, Any]:
    """A method's table in a manifest."""
    return {
        **({} if method.graph is None else {"graph": method.graph}),
        **({} if method.encoder == Role.ENCODE else {"encoder": method.encoder}),
        "space": str(method.space),
        "max_steps": method.max_steps,
        "default_steps": method.default_steps,
        "rates": {str(start): rate for start, rate in method.rates.items()},
        "terms": dict(method.terms),
        "inputs": {
            name: {"dtype": each.dtype, "shape": list(each.shape), "default": each.default}
            for name, each in method.inputs.items()
        },
        "state": {
            name: {"shape": list(tensor.shape), "initial": str(tensor.initial)}
            for name, tensor in method.state.items()
        },
        "answer": dict(method.answer),
        **({"measured": dict(method.measured)} if method.measured else {}),
    }


def finite(what: str, value: Any) -> float:
    """A number of a manifest; TOML knows `nan` and `inf` too.

    Raises:
        ValueError: it is one of these.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{what}: expected a finite number, got {number:g}")
    return number


def _read_input(what: str, name: str, entry: Mapping[str, Any]) -> FurtherInput:
    if name in OWN_INPUTS or name.startswith(("state.", "weight.")):
        raise ValueError(f"{what}: every refinement graph has an input of this name already")
    if np.dtype(entry["dtype"]).kind not in "iuf":
        raise ValueError(f"{what}.dtype: expected a kind of number, got {entry['dtype']!r}")
    return FurtherInput(entry["dtype"], tuple(entry["shape"]), entry["default"])


def _require(what: str, names: tuple[str, ...], table: Collection[str]) -> None:
    if missing := [name for name in names if name not in table]:
        raise ValueError(f"{what}: expected an entry {' and one '.join(missing)}")
