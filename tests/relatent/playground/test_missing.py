"""Tabs that a pack cannot have say why."""

from __future__ import annotations

import dataclasses

from relatent.playground.tabs.restore import tab as restore
from relatent.playground.tabs.text import tab as text
from tests.relatent.playground.made import METHODS, PACK


def test_a_pack_without_an_image_text_model_has_no_texts() -> None:
    assert text.missing(PACK) == ""
    assert "no image-text model" in text.missing(dataclasses.replace(PACK, text=None))


def test_a_pack_without_the_method_restores_nothing() -> None:
    assert restore.missing(PACK) == ""
    pack = dataclasses.replace(PACK, methods={METHODS[0].name: METHODS[0]})
    assert "no method that restores" in restore.missing(pack)
