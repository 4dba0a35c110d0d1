"""The page as a whole, without a browser."""

from __future__ import annotations

from unittest.mock import create_autospec

from relatent.playground import app
from relatent.playground.connection import Connection
from relatent.playground.downloads import Downloads
from relatent.playground.parts.examples import Examples


async def test_a_service_without_a_pack_for_the_pages_key_is_told() -> None:
    # Async, as Gradio makes a loop for each event where none runs, and closes none of them.
    connection = create_autospec(Connection, instance=True)
    connection.look.return_value.packs = {}
    page = app.build(
        connection, create_autospec(Examples, instance=True), create_autospec(Downloads, instance=True)
    )
    (look,) = (event.fn for event in page.fns.values() if event.name == "look")
    assert look is not None
    said, _, _ = look()
    assert "no pack for this page" in said
