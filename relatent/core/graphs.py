"""The graphs of a pack by their roles, and what their configurations say of them.

The graph of pack NAME in the role `encode` is the Triton model NAME_encode. A method's refinement graph has
a role of its own, which the method names (`relatent.core.methods`).

| Role | Inputs and outputs, each with a free batch axis before it |
|---|---|
| `encode`, `encode_forced` | image uint8 [R, R, 3] to w float32 [L, D] |
| `map` | z float32 [Z] and psi float32 [1] to w float32 [L, D] |
| `synthesize` | w float32 [L, D] to image uint8 [R, R, 3] |
| `synthesize_SPACE` | the parts of a code of another space to image uint8 [R, R, 3] |
| `read`, `read_SPACE` | the same to image and attributes: two graphs one after the other, in one call |
| `assess` | image and reference, uint8 [R, R, 3], to one float32 [1] a metric |
| `attributes` | image uint8 [R, R, 3] to attributes float32 [A] |
| `move_NAME` | w float32 [L, D] and strength float32 [1] to w: a learned direction |
| `text` | ids and mask int64 [T] to embedding float32 [E]: what a text means, of any length |
"""

from __future__ import annotations

from enum import StrEnum

PACK = "relatent.pack"
"""The parameter of a configuration that names the graph's pack; models without it are none of ours."""
REVISION = "relatent.revision"
"""The parameter that says which weights the graph was made of."""
DIGEST = "relatent.digest"
"""The parameter with the SHA-256, in hex, of the graph's file: which it is of all that those weights could
have given. Ensembles have none: they are other graphs, one after the other."""


class Role(StrEnum):
    """What a graph of a pack is for, other than refinement."""

    ENCODE = "encode"
    ENCODE_FORCED = "encode_forced"
    MAP = "map"
    SYNTHESIZE = "synthesize"
    SYNTHESIZE_STYLE = "synthesize_style"
    SYNTHESIZE_FEATURE = "synthesize_feature"
    SYNTHESIZE_LAYERED = "synthesize_layered"
    SYNTHESIZE_MULTI = "synthesize_multi"
    READ = "read"
    READ_STYLE = "read_style"
    READ_FEATURE = "read_feature"
    READ_LAYERED = "read_layered"
    READ_MULTI = "read_multi"
    ASSESS = "assess"
    ATTRIBUTES = "attributes"
    TEXT = "text"


MOVE = "move_"
"""What begins the roles of learned directions' graphs."""


def is_refinement(role: str) -> bool:
    """Whether the graph in a role refines, as methods have it."""
    return role not in set(Role) and not role.startswith(MOVE)


def move_role(direction: str) -> str:
    """The role of a learned direction's graph."""
    return f"{MOVE}{direction}"


def graph_name(pack: str, role: str) -> str:
    """What the graph in a role is called; of a pack by its name."""
    return f"{pack}_{role}"
