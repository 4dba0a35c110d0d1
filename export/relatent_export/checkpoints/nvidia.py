"""NVIDIA's networks as data.

`torch_utils.persistence` of StyleGAN2-ADA and StyleGAN3 pickles a network as the source text of its module,
its class's name and its attributes. The text is never run: what one computes is known from what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class PersistentObject:
    """An object of `torch_utils.persistence`.

    Attributes:
        class_name: of its class, such as `Generator` or `SynthesisNetwork`; another class of the same name in
            another module is told by the digest only.
        module_source_digest: SHA-256 in hexadecimal of the UTF-8 of the source text of its module.
        state: its attributes, as plain data. `_parameters` and `_buffers` are tensors or None by name,
            `_modules` objects of this kind or None by name; each of the three may be missing.
    """

    class_name: str
    module_source_digest: str
    state: Mapping[str, Any]

    def items(self) -> Iterator[tuple[str, Tensor | PersistentObject]]:
        """Its parameters, its buffers and its parts, by name.

        Buffers that a state dict leaves out are there too.
        """
        for table in ("_parameters", "_buffers", "_modules"):
            for name, value in self.state.get(table, {}).items():
                if value is not None:
                    yield name, value
