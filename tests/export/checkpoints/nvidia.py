"""NVIDIA's `torch_utils.persistence` and `dnnlib`, as far as pickles need them."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

_VERSION = 6


@dataclass
class Nvidia:
    """Their modules, made up, while a test runs.

    Attributes:
        canary: created by the source text of networks, if that is run.
        source: that text.
    """

    canary: Path
    source: str
    reconstruct: Callable[[Any], Any]
    easy_dict: type[dict[str, Any]]
    tf_network: type

    def persistent(self, name: str, **named: Any) -> Any:
        """An empty network that is pickled as theirs are."""
        nvidia = self

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self._init_args = (name,)
                self._init_kwargs = nvidia.easy_dict(named)

            def __reduce__(self) -> tuple[Any, ...]:
                meta = {"type": "class", "version": _VERSION, "module_src": nvidia.source}
                meta |= {"class_name": name, "state": super().__reduce__()[2]}
                return nvidia.reconstruct, (meta,), None

        return Network()

    def generator(self) -> Any:
        """A network of networks, with parameters, buffers and a layer that is not there."""
        torch.manual_seed(1)
        generator, affine = self.persistent("Generator", z_dim=4, size=8), self.persistent("Layer")
        affine.weight = nn.Parameter(torch.randn(3, 2))
        affine.bias = nn.Parameter(torch.randn(3), requires_grad=False)
        synthesis = self.persistent("SynthesisNetwork")
        synthesis.register_buffer("noise", torch.randn(4, 4).t())
        synthesis.register_buffer("absent", None)
        synthesis.gain = nn.Parameter(torch.randn(2).half())
        synthesis.affine, synthesis.torgb = affine, None
        generator.synthesis = synthesis
        generator.register_buffer("mean", torch.randn(4))
        return generator


def make(canary: Path, monkeypatch: pytest.MonkeyPatch) -> Nvidia:
    """Put the modules where pickle looks for them."""

    def reconstruct(meta: Any) -> Any:
        # What theirs does, and what must not happen.
        exec(meta["module_src"])
        return meta

    def named(thing: Any, module: str, name: str) -> Any:
        thing.__module__, thing.__qualname__ = module, name
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            parent = ".".join(parts[:end])
            monkeypatch.setitem(sys.modules, parent, sys.modules.get(parent, types.ModuleType(parent)))
        setattr(sys.modules[module], name, thing)
        return thing

    class EasyDict(dict[str, Any]):
        pass

    class Network:
        pass

    return Nvidia(
        canary,
        f"import pathlib\npathlib.Path({str(canary)!r}).touch()\n",
        named(reconstruct, "torch_utils.persistence", "_reconstruct_persistent_obj"),
        named(EasyDict, "dnnlib.util", "EasyDict"),
        named(Network, "dnnlib.tflib.network", "Network"),
    )


def pickled(network: Any, protocol: int = 4, **others: Any) -> bytes:
    """A file as their training script writes it."""
    return pickle.dumps({"G": None, "G_ema": network, **others}, protocol)
