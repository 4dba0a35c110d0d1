"""How a picture may be inverted: by a quality, or by a method of the pack's."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from relatent.client.blocking import Client
from relatent.client.catalog import MethodInfo, PackInfo
from relatent.client.requests import InvertOptions
from relatent.client.results import Inversion, Progress
from relatent.core.presets import Preset
from relatent.core.spaces import PLAIN
from relatent.playground.parts.pictures import picture_format
from relatent.playground.watching import watched


@dataclass(frozen=True)
class WayToInvert:
    """A way of inverting.

    Attributes:
        name: what it is called in a list of choices.
        options: what asks for it.
        refines: whether it takes steps.
    """

    name: str
    options: InvertOptions
    refines: bool = True

    def in_steps(self, steps: int) -> InvertOptions:
        """What asks for it with so many steps, where it takes any; 0 for as many as usual."""
        return InvertOptions(**{**self.options, "steps": steps}) if steps and self.refines else self.options


def qualities(pack: PackInfo) -> tuple[WayToInvert, ...]:
    """The pack's qualities, the quickest first; its default method where it has none, or names no methods."""
    known = [preset for preset in Preset if preset in pack.presets]
    made = [
        WayToInvert(str(preset), InvertOptions(quality=preset), pack.presets[preset].steps > 0)
        for preset in known
    ]
    return tuple(made) or methods(pack)[:1] or (WayToInvert("as usual", InvertOptions()),)


def methods(pack: PackInfo) -> tuple[WayToInvert, ...]:
    """The pack's methods that need nothing but a picture, the default first."""
    alone = {name: method for name, method in pack.methods.items() if goes_alone(method)}
    return tuple(
        WayToInvert(name, InvertOptions(method=name), method.default_steps > 0)
        for name, method in alone.items()
    )


def plain(pack: PackInfo) -> WayToInvert:
    """A way to a code with nothing besides, which every edit takes; the default method where it can be."""
    made = [way for way in methods(pack) if pack.methods[way.name].space in PLAIN]
    return made[0] if made else WayToInvert("the default", InvertOptions())


def goes_alone(method: MethodInfo) -> bool:
    """Whether a method needs nothing but a picture, and is no other use of one."""
    return "text" not in method.inputs and method.name != "restore"


def inverting(
    client: Client, pack: PackInfo, data: bytes, options: InvertOptions
) -> Generator[Progress | Inversion, None, None]:
    """Invert a picture.

    Args:
        client: of the page.
        pack: to invert into.
        data: of the picture's file.
        options: a quality or a method, and the steps where they are given.

    Yields:
        Reports with previews, and at last the inversion. Whoever closes it ends the call.

    Raises:
        RelatentError: the picture or the call was refused, or failed.
    """
    asked = InvertOptions(**{**options, "pack": pack.name, "output_format": picture_format(pack)})
    yield from watched(lambda tell: client.invert(data, progress=tell, preview_every=1, **asked))
