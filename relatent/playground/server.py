"""Runs the page: on an address of this machine unless told otherwise, and without fetching anything."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import fastapi
import gradio as gr
import uvicorn

from relatent.playground import app
from relatent.playground.connection import Connection
from relatent.playground.downloads import PATH, Downloads
from relatent.playground.parts.examples import Examples

_GRACE_SECONDS = 2


def serve(connection: Connection, host: str, port: int, packs: Path, say: Callable[[str], None]) -> None:
    """Serve the page until interrupted.

    Args:
        connection: to the service.
        host: to listen on.
        port: to listen on; 0 for one that is free.
        packs: a folder of packs, for examples; it need not be there.
        say: told where the page is.

    Raises:
        OSError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family) as listening,
        tempfile.TemporaryDirectory() as kept,
    ):
        # What people bring and what is made of it goes when the page does.
        os.environ["GRADIO_TEMP_DIR"] = kept
        downloads = Downloads()
        examples = Examples(connection.client, packs, Path(kept) / "examples")
        blocks = app.build(connection, examples, downloads)
        blocks.queue(default_concurrency_limit=8)
        asgi = gr.mount_gradio_app(
            _outer(downloads),
            blocks,
            path="/",
            footer_links=[],
            run_history=False,
            show_error=False,
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            pwa=False,
            allowed_paths=[kept, str(packs.resolve())],
            theme=app.theme(),
            css_paths=app.STYLES,
        )
        config = uvicorn.Config(asgi, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS)
        shown = f"[{host}]" if ":" in host else host
        say(f"The page is at http://{shown}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])


def _outer(downloads: Downloads) -> fastapi.FastAPI:
    """What stands round the page: the files that it offers."""
    outer = fastapi.FastAPI(openapi_url=None)

    @outer.get(f"{PATH}/{{key}}/{{name}}")
    def download(key: str, name: str) -> fastapi.Response:
        data = downloads.take(key, name)
        if data is None:
            return fastapi.Response("This is not kept any more: make it anew.", 404, media_type="text/plain")
        kept = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return fastapi.Response(data, headers=kept, media_type="application/octet-stream")

    return outer
