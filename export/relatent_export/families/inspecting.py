"""What files hold, in lines to read, and whether they can be imported: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import laid_out
from relatent_export.directions.formats.files import describe_directions
from relatent_export.families.building import check, encoder_config, generator_config
from relatent_export.families.contents import Contents, Family
from relatent_export.families.families import recognise
from relatent_export.families.gathering import Tell, expand, nothing_in, passed_over, told
from relatent_export.nets.restyle import ReStyleConfig
from relatent_export.nets.stylegan1 import StyleGAN1Config
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
    """Describe a file: family, resolution, widths, spaces, encoder, licence.

    Raises:
        Refused: it cannot be imported; the message says why, and is that which its import would give.
        OSError: it cannot be opened.
    """
    held = recognise(path)
    lines = {"family": held.family.label}
    with laid_out(str(path)):
        check(held)
        if held.generator:
            lines |= _generator(held)
        if held.encoder:
            lines |= _encoder(held)
        if held.others:
            lines["holds"] = _counted(held.others)
        if held.family.is_direction:
            lines |= describe_directions(held.data, path)
    lines["licence"] = held.family.licence
    width = max(map(len, lines))
    return "\n".join([printable(str(path)), *(f"  {name:<{width}}  {text}" for name, text in lines.items())])


def _generator(held: Contents) -> dict[str, str]:
    config = generator_config(held)
    kind = "StyleGAN" if isinstance(config, StyleGAN1Config) else "StyleGAN2"
    levels = zip([4 << i for i in range(len(config.channels))], config.channels, strict=True)
    known = held.latent_avg is not None or any(name.endswith("w_avg") for name in held.generator)
    mean = "in the file" if known else "not in the file: estimated at import"
    return {
        "generator": f"{kind}, {config.resolution} x {config.resolution}, {_counted(held.generator)}",
        "feature maps": ", ".join(f"{channels} at {side}" for side, channels in levels),
        "spaces": f"Z {config.z_width}, W {config.latent_width}, W+ {config.layers} x {config.latent_width}",
        "mapping": f"{config.mapping_layers} layers; mean latent {mean}",
    }


def _encoder(held: Contents) -> dict[str, str]:
    config = encoder_config(held)
    own = "in-domain inversion's" if held.family is Family.IDINVERT_ENCODER else "of an unknown type"
    kind = str(held.options.get("encoder_type", own))
    passes = f", {config.iterations} passes" if isinstance(config, ReStyleConfig) else ""
    rows = f" to {config.layers} rows" if config.layers else ""
    shape = f"{config.resolution} x {config.resolution}{rows}{passes}"
    return {"encoder": f"{kind}, {shape}, {_counted(held.encoder)}"}


def _counted(tensors: Mapping[str, Tensor]) -> str:
    return f"{sum(tensor.numel() for tensor in tensors.values()):,} numbers in {len(tensors)} tensors"
