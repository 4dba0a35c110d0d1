"""What files hold, in lines to read, and whether they can be imported: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import as_damaged
from relatent_export.families.building import check, encoder_config
from relatent_export.families.contents import Contents, RecognisedNetwork
from relatent_export.families.family import EncoderFamily, GeneratorFamily
from relatent_export.families.gathering import Tell, expand, nothing_in, passed_over, told
from relatent_export.families.recognising import recognise
from relatent_export.nets.restyle import ReStyleConfig
from relatent_export.progress import printable


def inspect_all(paths: Sequence[Path], show: Callable[[str], None], tell: Tell) -> bool:
    """Describe files, one after another, whatever becomes of the others.

    Args:
        paths: files, or folders of them.
        show: takes the description of a file.
        tell: takes the line that says why a file cannot be imported.

    Returns:
        Whether every file that was named can be imported, and of every folder at least one.
    """
    usable = [_inspect_named(path, show, tell) for path in paths]
    return all(usable)


def _inspect_named(path: Path, show: Callable[[str], None], tell: Tell) -> bool:
    shown = refused = 0
    try:
        for file in expand([path], tell):
            try:
                description = inspect(file.path)
            except (Refused, OSError) as error:
                tell(told(error) if file.folder is None else passed_over(error))
                refused += 1
            else:
                show(description)
                shown += 1
    except (Refused, OSError) as error:
        tell(told(error))
        return False
    if path.is_dir() and not shown:
        tell(str(nothing_in(path)))
    return shown > 0 if path.is_dir() else not refused


def inspect(path: Path) -> str:
    """Describe a file: family, resolution, channels, spaces, encoder, licence.

    Raises:
        Refused: it cannot be imported; the message says why, and is that which its import would give.
        OSError: it cannot be opened.
    """
    contents = recognise(path)
    lines = {"family": contents.origin.label}
    with as_damaged(str(path)):
        check(contents)
        if contents.generator is not None:
            lines |= _generator(contents.generator)
        if contents.encoder is not None:
            lines |= _encoder(contents, contents.encoder)
        for network in (contents.features, contents.identity):
            if network is not None:
                lines["holds"] = _counted(network.part.tensors)
        if contents.directions is not None:
            lines |= contents.directions.describe()
    lines["licence"] = contents.origin.licence
    width = max(map(len, lines))
    return "\n".join([printable(str(path)), *(f"  {name:<{width}}  {text}" for name, text in lines.items())])


def _generator(held: RecognisedNetwork[GeneratorFamily]) -> dict[str, str]:
    part, config = held.part, held.family.config(held.part)
    levels = zip([4 << i for i in range(len(config.channels))], config.channels, strict=True)
    known = part.latent_avg is not None or any(name.endswith("w_avg") for name in part.tensors)
    mean = "in the file" if known else "not in the file: estimated at import"
    size = f"{config.resolution} x {config.resolution}"
    return {
        "generator": f"{config.architecture}, {size}, {_counted(part.tensors)}",
        "feature maps": ", ".join(f"{channels} at {resolution}" for resolution, channels in levels),
        "spaces": f"Z {config.z_width}, W {config.latent_width}, W+ {config.layers} x {config.latent_width}",
        "mapping": f"{config.mapping_layers} layers; mean latent {mean}",
    }


def _encoder(contents: Contents, held: RecognisedNetwork[EncoderFamily]) -> dict[str, str]:
    config = encoder_config(contents)
    assert config is not None
    kind = str(held.part.options.get("encoder_type", held.family.kind))
    passes = f", {config.iterations} passes" if isinstance(config, ReStyleConfig) else ""
    layers = f" to {config.layers} layers" if config.layers else ""
    shape = f"{config.resolution} x {config.resolution}{layers}{passes}"
    return {"encoder": f"{kind}, {shape}, {_counted(held.part.tensors)}"}


def _counted(tensors: Mapping[str, Tensor]) -> str:
    return f"{sum(tensor.numel() for tensor in tensors.values()):,} numbers in {len(tensors)} tensors"
