"""IR-SE and ResNet backbones under their published names, as encoders and identity networks hold them.

A stage begins where the maps' number changes, so a backbone's shape is read off its tensors alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.ir_se import STAGES, IRSEConfig

State = dict[str, Tensor]


def axes(named: NamedTensors, name: str, count: int, what: str) -> tuple[int, ...]:
    """The shape of a tensor that must have `count` axes.

    Raises:
        DamagedFile: there is none of that name, or it has other axes or an empty one.
    """
    shape = named.shape(name)
    if len(shape) != count or 0 in shape:
        raise DamagedFile(f"{what}: {name}: expected {count} axes, none empty, got shape {list(shape)}")
    return shape


def ir_se_shape(named: NamedTensors, what: str) -> dict[str, Any]:
    """The fields of an `IRSEConfig` for `input_layer.*` and `body.*`.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
        UnsupportedFile: there are not four stages.
    """
    entry = axes(named, "input_layer.0.weight", 4, what)
    channels, units = _stages(named, entry[0], "body.{}.res_layer.1.weight", what)
    squeezed, gated = axes(named, "body.0.res_layer.5.fc1.weight", 4, what)[:2]
    reduction = gated // squeezed
    if not 1 <= reduction <= min(channels[1:]):
        raise DamagedFile(
            f"{what}: body.0.res_layer.5.fc1.weight: expected gates narrower by 1 to {min(channels[1:])}, "
            f"got {reduction}"
        )
    return {"image_channels": entry[1], "channels": channels, "units": units, "reduction": reduction}


def resnet_shape(named: NamedTensors, what: str) -> dict[str, Any]:
    """The fields of an `IRSEConfig` for `conv1.*` and `body.*`; one, `reduction`, has no meaning.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
        UnsupportedFile: there are not four stages.
    """
    entry = axes(named, "conv1.weight", 4, what)
    channels, units = _stages(named, entry[0], "body.{}.conv1.weight", what)
    return {"image_channels": entry[1], "channels": channels, "units": units, "reduction": 1}


def _stages(
    named: NamedTensors, entry: int, weight: str, what: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels, the entry's first, and units of each stage."""
    channels, units, unit = [entry], [0], 0
    while weight.format(unit) in named:
        outputs, inputs = axes(named, weight.format(unit), 4, what)[:2]
        if unit == 0 or outputs != inputs:
            channels.append(outputs)
            units.append(0)
        units[-1] += 1
        unit += 1
    if len(channels) != STAGES + 1:
        raise UnsupportedFile(
            f"{what}: expected a backbone of {STAGES} stages, each of other channels, got {len(channels) - 1}"
        )
    return tuple(channels), tuple(units[1:])


def ir_se_state(named: NamedTensors, config: IRSEConfig, ours: str) -> State:
    """Take an IR-SE backbone's tensors, for an `IRSE` whose names begin with `ours`.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
    """
    entry = config.channels[0]
    state = {f"{ours}.entry.weight": named.take("input_layer.0.weight", (entry, config.image_channels, 3, 3))}
    state |= norm_state(named, "input_layer.1", f"{ours}.entry_norm", entry)
    state[f"{ours}.entry_slope.weight"] = named.take("input_layer.2.weight", (entry,))

    def unit(theirs: str, ours: str, inputs: int, outputs: int) -> State:
        squeezed = outputs // config.reduction
        taken = {
            f"{ours}.first.weight": named.take(f"{theirs}.res_layer.1.weight", (outputs, inputs, 3, 3)),
            f"{ours}.slope.weight": named.take(f"{theirs}.res_layer.2.weight", (outputs,)),
            f"{ours}.second.weight": named.take(f"{theirs}.res_layer.3.weight", (outputs, outputs, 3, 3)),
            f"{ours}.squeeze.weight": named.take(f"{theirs}.res_layer.5.fc1.weight", (squeezed, outputs)),
            f"{ours}.excite.weight": named.take(f"{theirs}.res_layer.5.fc2.weight", (outputs, squeezed)),
        }
        taken |= norm_state(named, f"{theirs}.res_layer.0", f"{ours}.norm_in", inputs)
        taken |= norm_state(named, f"{theirs}.res_layer.4", f"{ours}.norm_out", outputs)
        if inputs != outputs:
            taken |= _shortcut(named, f"{theirs}.shortcut_layer", ours, inputs, outputs)
        return taken

    return state | _units(config, ours, unit)


def resnet_state(named: NamedTensors, config: IRSEConfig, ours: str) -> State:
    """Take a ResNet backbone's tensors, for a `ResNet` whose names begin with `ours`.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
    """
    entry = config.channels[0]
    state = {f"{ours}.entry.weight": named.take("conv1.weight", (entry, config.image_channels, 7, 7))}
    state |= norm_state(named, "bn1", f"{ours}.entry_norm", entry)
    state[f"{ours}.entry_slope.weight"] = named.take("relu.weight", (entry,))

    def unit(theirs: str, ours: str, inputs: int, outputs: int) -> State:
        taken = {
            f"{ours}.first.weight": named.take(f"{theirs}.conv1.weight", (outputs, inputs, 3, 3)),
            f"{ours}.second.weight": named.take(f"{theirs}.conv2.weight", (outputs, outputs, 3, 3)),
        }
        taken |= norm_state(named, f"{theirs}.bn1", f"{ours}.first_norm", outputs)
        taken |= norm_state(named, f"{theirs}.bn2", f"{ours}.second_norm", outputs)
        if inputs != outputs:
            taken |= _shortcut(named, f"{theirs}.downsample", ours, inputs, outputs)
        return taken

    return state | _units(config, ours, unit)


def _units(config: IRSEConfig, ours: str, unit: Callable[[str, str, int, int], State]) -> State:
    """The tensors of every unit; published ones are counted through, ours within their stage."""
    state: State = {}
    count = 0
    for stage, units in enumerate(config.units):
        for i in range(units):
            inputs, outputs = config.channels[stage + (i > 0)], config.channels[stage + 1]
            state |= unit(f"body.{count}", f"{ours}.stages.{stage}.{i}", inputs, outputs)
            count += 1
    return state


def norm_state(named: NamedTensors, theirs: str, ours: str, channels: int) -> State:
    """Take a batch normalisation's tensors, for a `Norm`.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
    """
    names = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
    return {f"{ours}.{name}": named.take(f"{theirs}.{them}", (channels,)) for name, them in names.items()}


def dense_state(named: NamedTensors, theirs: str, ours: str, inputs: int, outputs: int) -> State:
    """Take a linear layer's tensors.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
    """
    return {
        f"{ours}.weight": named.take(f"{theirs}.weight", (outputs, inputs)),
        f"{ours}.bias": named.take(f"{theirs}.bias", (outputs,)),
    }


def _shortcut(named: NamedTensors, theirs: str, ours: str, inputs: int, outputs: int) -> State:
    weight = named.take(f"{theirs}.0.weight", (outputs, inputs, 1, 1))
    return {
        f"{ours}.shortcut.0.weight": weight,
        **norm_state(named, f"{theirs}.1", f"{ours}.shortcut.1", outputs),
    }
