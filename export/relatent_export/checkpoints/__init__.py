"""Reading files that others made, without ever running what they hold.

A published checkpoint is a pickle, alone or in a container, and a pickle is a program: it may name any
function and call it. So a file is read twice over by readers that cannot do that:

    container                         first                       then
    zip, as PyTorch writes            its pickle by `unpickler`   `torch.load`, weights only, mapped
    PyTorch before 1.6 (`legacy`)     its pickles by `unpickler`  `torch.load`, weights only
    a pickle by itself, as NVIDIA's   by `unpickler`              its tensors' bytes: as the line above
    `.npy`, alone or in an `.npz`     its header against its size NumPy; object arrays by `unpickler`
    safetensors                       -                           its own library; it holds no code

The unpickler has no way to import or call anything: it knows a short list of names (`allowlist`), refuses
every other by name, and makes `records` of what they ask for. Afterwards `plain_data` turns what was read
into plain data and counts it, so that a small file cannot become a large amount of it.
"""

from relatent_export.checkpoints.arrays import read_array
from relatent_export.checkpoints.checkpoint import read_checkpoint
from relatent_export.checkpoints.nvidia import PersistentObject

__all__ = ["PersistentObject", "read_array", "read_checkpoint"]
