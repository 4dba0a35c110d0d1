"""A picture at work: inverted, and edited as dials are turned. No more of the page than that."""

from __future__ import annotations

import io
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.images import ImageFormat, Picture
from relatent.client.latents import LatentCode
from relatent.client.recipes import Recipe
from relatent.client.requests import InvertOptions, Operation
from relatent.client.results import Inversion, Progress
from relatent.playground import words
from relatent.playground.downloads import Maker, latent_bytes, new_key
from relatent.playground.parts.pictures import SIDE, picture_format, square
from relatent.playground.tabs.edit import dials as turning
from relatent.playground.tabs.edit.dials import Dial
from relatent.playground.tabs.edit.history import History, Step
from relatent.playground.tabs.edit.live import LiveEdits
from relatent.playground.taken import TakenPicture
from relatent.playground.ways import inverting

GIVEN = "your picture"
"""What a picture is called that somebody brought."""
_QUALITY = 92
"""Of WebP: what is lost cannot be seen."""


@dataclass(frozen=True)
class EditingWork:
    """A picture at work.

    Attributes:
        key: that its files are offered by.
        name: what the picture is called that everything can be compared with.
        original: that picture, as far as the service saw it.
        history: what was done since; its first step is what edits begin from.
        options: how it was asked to be inverted, and is again by its recipe.
        inversion: what it came to; None of one that the model made itself.
        seconds: that took.
    """

    key: str
    name: str
    original: Picture
    history: History
    options: InvertOptions
    inversion: Inversion | None = None
    seconds: float = 0.0

    @property
    def latent(self) -> LatentCode:
        """What is edited: the code before any edit."""
        return self.history.steps[0].latent


def as_given(data: bytes, pack: PackInfo) -> Picture | None:
    """A picture's file as the service sees it, for the page, and light: it is sent with every edit.

    Returns:
        None of what cannot be read here, for the service to judge.

    Raises:
        InputError: the client refuses it.
    """
    side = max(SIDE, pack.resolution)
    if (seen := square(data, side)) is None:
        return None
    buffer = io.BytesIO()
    seen.save(buffer, "WEBP", quality=_QUALITY)
    return Picture(buffer.getvalue(), ImageFormat.WEBP, side, side)


def begin(
    client: Client, pack: PackInfo, dials: Sequence[Dial], data: bytes, options: InvertOptions
) -> Generator[Progress | EditingWork, None, None]:
    """Invert a picture.

    Args:
        client: of the page.
        pack: to invert into.
        dials: the pack's.
        data: of the picture's file.
        options: a quality or a method, and the steps where they are given.

    Yields:
        Reports with previews, and at last the picture at work.

    Raises:
        RelatentError: the picture or the call was refused, or failed.
    """
    original = as_given(data, pack)
    began = time.monotonic()
    for told in inverting(client, pack, data, options):
        if isinstance(told, Progress):
            yield told
            continue
        seconds = time.monotonic() - began
        history = _begun(client, pack, dials, "as inverted", told.latent, told.reconstruction)
        seen = original or told.reconstruction
        yield EditingWork(new_key(), GIVEN, seen, history, options, told, seconds)


def take(client: Client, pack: PackInfo, dials: Sequence[Dial], taken: TakenPicture) -> EditingWork:
    """Put a picture to work that another tab made, by its code; nothing is inverted.

    Raises:
        CallError: the service refuses it, or is lost.
    """
    (made,) = client.synthesize([taken.latent], output_format=picture_format(pack))
    history = _begun(client, pack, dials, "as the model makes it", taken.latent, made.image)
    return EditingWork(new_key(), taken.name, taken.picture, history, InvertOptions())


def turn(
    work: EditingWork,
    pack: PackInfo,
    dials: Sequence[Dial],
    positions: Mapping[str, float],
    locked: Collection[str],
    live: LiveEdits,
) -> EditingWork:
    """Edit a picture as dials stand.

    Args:
        work: the picture.
        pack: its own.
        dials: the pack's.
        positions: where each stands, by name.
        locked: names of those that stay.
        live: edits the picture's own code.

    Returns:
        The picture with a step more; the same where no dial was moved.

    Raises:
        CallError: the service refuses it, or is lost.
    """
    now = work.history.now
    moved = [dial for dial in dials if _moved(dial, positions[dial.name], now)]
    if not moved:
        return work
    asked = {**now.asked, **{dial.name: positions[dial.name] for dial in moved}}
    edited = live.edit(turning.operations(dials, asked, locked))
    values = turning.values(dials, work.history.steps[0].values, asked, edited)
    step = Step(
        label=f"{moved[0].label}: {positions[moved[0].name]:g}",
        dial=moved[0].name,
        asked=asked,
        values=values,
        latent=edited.latent,
        picture=edited.image,
        said=words.reached(edited.targets, pack.described),
        locked=frozenset(locked),
        at=time.monotonic(),
    )
    return replace(work, history=work.history.add(step))


def at(work: EditingWork, history: History) -> EditingWork:
    """The same picture at another place of its history."""
    return replace(work, history=history)


def files(work: EditingWork, pack: PackInfo, dials: Sequence[Dial]) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names; `file_names` says what they are."""
    now, done = work.history.now, _operations(work, dials)
    names = file_names(work, pack, dials)
    made: dict[str, Maker] = {
        names["picture"]: lambda: now.picture.data,
        names["latent code"]: lambda: latent_bytes(now.latent),
    }
    if done:
        made[names["recipe"]] = lambda: Recipe(done, work.options, pack.name).to_json().encode()
    return made


def file_names(work: EditingWork, pack: PackInfo, dials: Sequence[Dial]) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are: a recipe where there is an edit."""
    names = {"picture": f"edited.{picture_format(pack).value}", "latent code": "edited.safetensors"}
    return {**names, "recipe": "recipe.json"} if _operations(work, dials) else names


def _operations(work: EditingWork, dials: Sequence[Dial]) -> tuple[Operation, ...]:
    """The edit so far."""
    now = work.history.now
    return turning.operations(dials, now.asked, now.locked)


def _begun(
    client: Client, pack: PackInfo, dials: Sequence[Dial], label: str, latent: LatentCode, picture: Picture
) -> History:
    """The history of a picture that nothing was done to."""
    values = {dial.name: 0.0 for dial in dials}
    if any(dial.exact for dial in dials):
        read = client.read(picture, pack=pack.name)
        values = {dial.name: read[dial.name].value for dial in dials}
    return History((Step(label, "", {}, values, latent, picture),))


def _moved(dial: Dial, position: float, now: Step) -> bool:
    """Whether somebody moved a dial: it neither stands at what was read, nor where they had left it."""
    places = [now.values[dial.name]]
    places += [now.asked[dial.name]] if dial.name in now.asked else []
    return all(dial.moved(position, place) for place in places)
