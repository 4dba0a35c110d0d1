"""Files that would run code, were they read as pickles are: by Python, PyTorch and NumPy as they come.

Every one of them creates a file, the canary. `carelessly` reads a file in the way that its kind invites to,
so that the tests can show that the file does what it should.
"""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.export.checkpoints.nvidia import Nvidia, pickled

SYSTEM = f"{os.system.__module__}.system"
"""What Python itself calls it: `posix.system`, which is the same function as `os.system`."""


@dataclass
class Calls:
    """Something that is pickled as a call."""

    function: Any
    arguments: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def system(canary: Path) -> Calls:
    """`os.system`, in the way of every tutorial."""
    return Calls(os.system, (f"touch {canary}",))


def evaluation(canary: Path) -> Calls:
    """`eval`, deep in arguments of something harmless."""
    inner = Calls(eval, (f"__import__('pathlib').Path({str(canary)!r}).touch()",))
    return Calls(OrderedDict, ([("harmless", [inner])],))


def saved(value: Any, zipped: bool = True) -> bytes:
    """As `torch.save` writes it, today or before 1.6."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def array(value: Any) -> bytes:
    """As `numpy.save` writes it, as an object array."""
    file = io.BytesIO()
    holder = np.empty((), dtype=object)
    holder[()] = value
    np.save(file, holder)
    return file.getvalue()


def archive(value: Any) -> bytes:
    """As `numpy.savez` writes it, in an object array."""
    file = io.BytesIO()
    holder = np.empty((), dtype=object)
    holder[()] = value
    np.savez(file, hidden=holder)
    return file.getvalue()


def storage(data: bytes) -> Calls:
    """What a tensor's numbers are pickled as outside of PyTorch's files: such a file in a call."""
    return Calls(torch.storage._load_from_bytes, (data,))


def text(canary: Path) -> bytes:
    return f"touch {canary}".encode()


def _beside_weights(hidden: Any) -> dict[str, Any]:
    return {"state_dict": {"w": torch.zeros(3)}, "opts": {"lr": 0.1, "more": [hidden]}}


def _in_attributes(hidden: Any) -> OrderedDict[str, Any]:
    state = OrderedDict(w=torch.zeros(3))
    # As a state dict carries its `_metadata`: no part of what it holds.
    vars(state)["_metadata"] = hidden
    return state


def _in_network(nvidia: Nvidia, hidden: Any) -> bytes:
    # Or else that would create the canary.
    nvidia.source = "pass"
    network = nvidia.generator()
    network.synthesis.hidden = hidden
    return pickled(network)


def _written_by_hand(operations: str) -> Callable[[Nvidia, Path], bytes]:
    """A pickle of protocol 2 whose text TOUCH becomes the command."""
    return lambda nvidia, canary: (
        b"\x80\x02" + operations.encode().replace(b"TOUCH", b"S'" + text(canary) + b"'\n")
    )


HOSTILE: dict[str, tuple[str, Callable[[Nvidia, Path], bytes]]] = {
    "pickle, protocol 2": (SYSTEM, lambda _, canary: pickle.dumps(system(canary), 2)),
    "pickle, protocol 3": (SYSTEM, lambda _, canary: pickle.dumps(system(canary), 3)),
    "pickle, protocol 4": (SYSTEM, lambda _, canary: pickle.dumps(system(canary), 4)),
    "pickle, protocol 5": (SYSTEM, lambda _, canary: pickle.dumps(system(canary), 5)),
    "pickle, os by name": ("os.system", _written_by_hand("cos\nsystem\n(TOUCHtR.")),
    "pickle, INST": ("os.system", _written_by_hand("(TOUCHios\nsystem\n.")),
    "pickle, OBJ": ("os.system", _written_by_hand("(cos\nsystem\nTOUCHo.")),
    "pickle, by attributes": (
        "torch.serialization.os.system",
        lambda _, canary: (
            b"\x80\x04\x8c\x05torch\x8c\x17serialization.os.system\x93("
            + pickle.dumps(text(canary).decode(), 4)[2:-1]
            + b"tR."
        ),
    ),
    "pickle, getattr": (
        "builtins.getattr",
        _written_by_hand("cbuiltins\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR(TOUCHtR."),
    ),
    "zip": (SYSTEM, lambda _, canary: saved(system(canary))),
    "before 1.6": (SYSTEM, lambda _, canary: saved(system(canary), zipped=False)),
    "zip, eval beside weights": ("builtins.eval", lambda _, c: saved(_beside_weights(evaluation(c)))),
    "before 1.6, eval beside weights": (
        "builtins.eval",
        lambda _, canary: saved(_beside_weights(evaluation(canary)), zipped=False),
    ),
    "zip, eval in attributes": ("builtins.eval", lambda _, c: saved(_in_attributes(evaluation(c)))),
    "zip, bytes of a tensor": (
        "torch.storage._load_from_bytes",
        lambda _, canary: saved(_beside_weights(storage(saved(system(canary), zipped=False)))),
    ),
    "network, eval": ("builtins.eval", lambda nvidia, canary: _in_network(nvidia, evaluation(canary))),
    "network, bytes of a tensor": (
        SYSTEM,
        lambda nvidia, canary: _in_network(nvidia, storage(saved(system(canary), zipped=False))),
    ),
    "network, bytes in bytes of a tensor": (
        "torch.storage._load_from_bytes",
        lambda nvidia, canary: _in_network(
            nvidia, storage(saved(storage(saved(system(canary), zipped=False)), zipped=False))
        ),
    ),
    "object array": (SYSTEM, lambda _, canary: array({"boundary": np.zeros(2), "x": system(canary)})),
    "object array in an archive": (SYSTEM, lambda _, canary: archive(system(canary))),
    "object array, eval": ("builtins.eval", lambda _, canary: array([evaluation(canary)])),
}
"""By name: what the refusal has to name, and the file."""


def carelessly(data: bytes) -> None:
    """Read a file as one should not. Whatever it makes of it afterwards does not matter."""
    if data.startswith(b"PK") and b".npy" in data:
        np.load(io.BytesIO(data), allow_pickle=True)["hidden"]
    elif data.startswith(b"\x93NUMPY"):
        np.load(io.BytesIO(data), allow_pickle=True)
    elif data.startswith(b"PK") or b"protocol_version" in data[:100]:
        torch.load(io.BytesIO(data), weights_only=False)
    else:
        pickle.loads(data)
