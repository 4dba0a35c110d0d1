"""`relatent playground`: a page in the browser in front of a service."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

from relatent.cli import arguments
from relatent.cli.credentials import access
from relatent.cli.local_service import LocalService, terminable
from relatent.cli.printing import say
from relatent.client.errors import InputError
from relatent.client.settings import DEFAULT_ADDRESS, AccessOptions
from relatent.core.addresses import Address, AddressError, parse_address

DEFAULT_PAGE = "127.0.0.1:7860"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "playground",
        help="open a page that shows what the service can do",
        description="Serve a page, for a browser on this machine, that shows what a service can do. It needs "
        "pip install 'relatent[playground]', and no network.",
    )
    parser.add_argument(
        "--listen",
        type=_listen,
        default=DEFAULT_PAGE,
        metavar="HOST:PORT",
        help="where the page is; port 0 chooses one (default: %(default)s)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="start a service, too; to be run in a checkout of Relatent"
    )
    parser.add_argument("--engine", default="auto", help="with --serve, what runs the graphs (default: auto)")
    parser.add_argument("--packs", type=Path, default=Path("packs"), help="default: %(default)s")
    parser.add_argument(
        "--repository", type=Path, default=Path("model_repository"), help="default: %(default)s"
    )
    arguments.add_connection(parser, timeout=120.0, works=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve the page until interrupted."""
    if importlib.util.find_spec("gradio") is None:
        raise InputError("the page needs gradio: pip install 'relatent[playground]'")
    with terminable():
        if not args.serve:
            _serve(args.address, args, access(args))
            return 0
        _check_alone(args)
        with tempfile.TemporaryDirectory(prefix="relatent-") as folder:
            say("Starting the service …")
            flags = [
                "--engine",
                args.engine,
                "--packs",
                str(args.packs),
                "--repository",
                str(args.repository),
            ]
            with LocalService(flags, Path(folder) / "service.log") as service:
                say(f"  it serves at {service.address}, engine: {service.ready.get('engine', 'unknown')}")
                if note := service.ready.get("note"):
                    say(f"  {note}")
                _serve([service.address], args, AccessOptions())
    return 0


def _check_alone(args: argparse.Namespace) -> None:
    """Make sure that nothing is said of a service elsewhere where one is started.

    Raises:
        InputError: something is; names the flags.
    """
    usual = arguments.addresses(os.environ.get("RELATENT_ADDRESS", DEFAULT_ADDRESS))
    given = {
        "--address": args.address != usual,
        "--tls": args.tls,
        "--tls-ca": args.tls_ca,
        "--tls-certificate": args.tls_certificate,
        "--tls-key": args.tls_key,
        "--api-key-file": args.api_key_file,
        "--insecure": args.insecure,
    }
    if flags := [flag for flag, value in given.items() if value]:
        raise InputError(f"{', '.join(flags)}: is for a service that is there, and --serve starts another")


def _serve(addresses: list[str], args: argparse.Namespace, way_in: AccessOptions) -> None:
    # Read when Gradio is imported: nothing is reported to anybody.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from relatent.playground.connection import Connection
    from relatent.playground.server import serve

    with (
        Connection(addresses, args.timeout, arguments.max_message_bytes(args), way_in) as connection,
        contextlib.suppress(KeyboardInterrupt),  # which is how a page ends
    ):
        serve(connection, args.listen.host, args.listen.port, args.packs, say)


def _listen(text: str) -> Address:
    try:
        address = parse_address(text, any_port=True)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if address.path:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return address
