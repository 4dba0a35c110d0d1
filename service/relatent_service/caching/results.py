"""Results as they are kept: read-only in this process, and as bytes in another.

The reconstruction is kept rather than made anew. That costs 3 bytes a pixel, 3 MB at a resolution of 1024,
and saves a run of the generator, a slot to run it in, and the doubt whether a GPU makes the same bytes in
another batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from relatent.core.codes import Codes
from relatent.core.quality import Quality
from relatent.core.stopping import StopReason
from relatent_service.inversion.inverter import Result
from relatent_service.inversion.job import Plan
from relatent_service.inversion.plausibility import Plausibility

Array = NDArray[Any]

_CHECKSUM = hashlib.sha256().digest_size
_OVERHEAD = 4096
"""Bytes of a result beside its arrays, its keys included; about."""
_VALUES = "values"
_CODE, _IMAGE, _LOSSES, _BEYOND = "code.", "image", "losses", "beyond"


class NotAResult(ValueError):
    """Bytes that are no result of a plan; the message says what is wrong with them."""


def settled(result: Result) -> Result:
    """The same in arrays of its own, which nobody can write to."""

    def own(array: Array) -> Array:
        copy = np.array(array, order="C")
        copy.setflags(write=False)
        return copy

    return replace(
        result,
        code=Codes(result.code.space, {name: own(array) for name, array in result.code.parts.items()}),
        reconstruction=own(result.reconstruction),
        losses=own(result.losses),
        beyond=None if result.beyond is None else own(result.beyond),
    )


def size_of(result: Result) -> int:
    """Bytes that it takes to keep a result."""
    return _OVERHEAD + sum(array.nbytes for array in _arrays(result).values())


def to_bytes(result: Result) -> bytes:
    """A result for a store outside: a checksum, and safetensors. Blocking."""
    values = {
        "quality": asdict(result.quality),
        "stop_reason": result.stop_reason.value,
        "steps": result.steps,
        "plausibility": None if result.plausibility is None else _plausibility_values(result.plausibility),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in _arrays(result).items()}
    data = save(arrays, {_VALUES: json.dumps(values)})
    return hashlib.sha256(data).digest() + data


def from_bytes(plan: Plan, data: bytes) -> Result:
    """Read what `to_bytes` wrote of a result of this plan. Blocking.

    Raises:
        NotAResult: the bytes are something else.
    """
    checksum, data = data[:_CHECKSUM], data[_CHECKSUM:]
    if hashlib.sha256(data).digest() != checksum:
        raise NotAResult("its checksum is another's")
    try:
        arrays = load(data)
        return _result(plan, arrays, json.loads(_metadata(data)[_VALUES]))
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotAResult(f"{type(error).__name__}: {error}") from error


def _arrays(result: Result) -> dict[str, Array]:
    arrays = {f"{_CODE}{name}": array for name, array in result.code.parts.items()}
    arrays |= {_IMAGE: result.reconstruction, _LOSSES: result.losses}
    return arrays if result.beyond is None else {**arrays, _BEYOND: result.beyond}


def _result(plan: Plan, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> Result:
    pack, method = plan.pack, plan.method
    sides = (pack.resolution, pack.resolution)
    parts = {
        name: _checked(arrays, f"{_CODE}{name}", part.dtype, (1, *part.shape))
        for name, part in plan.code_parts.parts.items()
    }
    steps = int(values["steps"])
    result = Result(
        pack=pack,
        method=method,
        code=Codes(method.space, parts),
        reconstruction=_checked(arrays, _IMAGE, "uint8", (*sides, 3)),
        quality=Quality(**values["quality"]),
        losses=_checked(arrays, _LOSSES, "float32", (steps,)),
        stop_reason=StopReason(values["stop_reason"]),
        steps=steps,
        plausibility=_plausibility(plan, values["plausibility"]),
        beyond=_checked(arrays, _BEYOND, "uint8", sides) if _BEYOND in arrays else None,
    )
    return settled(result)


def _checked(arrays: Mapping[str, Array], name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    array = arrays[name]
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise NotAResult(f"{name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")
    return array


def _plausibility_values(found: Plausibility) -> dict[str, float | None]:
    return {"score": found.score, "cycle": found.cycle, "code_cycle": found.code_cycle}


def _plausibility(plan: Plan, values: Mapping[str, Any] | None) -> Plausibility | None:
    if values is None or plan.domain is None:
        return None
    return Plausibility(domain=plan.domain, **values)


def _metadata(data: bytes) -> dict[str, str]:
    """The header's; `load` keeps it to itself."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata
