"""The command `relatent`.

Exit codes: 0 all went well; 1 something failed, and a line says what; 2 the arguments are wrong;
3 no service answered; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from relatent.cli import (
    apply,
    catalog,
    demo,
    diffuse,
    edit,
    invert,
    keys,
    morph,
    playground,
    read,
    restore,
    sample,
    serve,
)
from relatent.cli.printing import one_line, survive_any_encoding, told
from relatent.client.errors import (
    CallError,
    DeadlineError,
    InputError,
    RelatentError,
    TlsError,
    UnauthenticatedError,
    UnavailableError,
)
from relatent.core.tracing_setup import CannotTrace, set_up


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code.

    Args:
        argv: the arguments, those of the process unless given.
    """
    survive_any_encoding()
    _show_warnings()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["serve"]:
            serve.run(words[1:])
        args = build_parser().parse_args(words)
        _trace()
        code: int = args.run(args)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except InputError as error:
        return _fail(str(error), 2)
    except (UnavailableError, DeadlineError) as error:
        return _fail(f"no answer from {error.address}: {error.message}", 3)
    except TlsError as error:
        return _fail(f"no connection to {error.address}: {error.message}", 3)
    except UnauthenticatedError as error:
        cure = (
            "give --api-key-file or RELATENT_API_KEY"
            if error.reason == "KEY_MISSING"
            else "ask for another key"
        )
        return _fail(f"{error} [{error.reason}]; {cure}", 1)
    except CallError as error:
        reason = f" [{error.reason}]" if error.reason else ""
        return _fail(f"{error}{reason}", 1)
    except UnicodeEncodeError as error:
        return _fail(f"expected text in UTF-8, got {error.object!r}", 2)
    except BrokenPipeError:  # whoever read the answer has enough of it
        return 1
    except (RelatentError, OSError) as error:
        return _fail(told(error), 1)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="relatent",
        description="GAN inversion and editing as production software.",
        epilog="The environment's RELATENT_ADDRESS, RELATENT_MAX_MESSAGE_BYTES and RELATENT_TLS… "
        "stand for --address, --max-message-bytes and --tls… where these are not given; RELATENT_API_KEY "
        "holds an API key.",
    )
    version = importlib.metadata.version("relatent")
    parser.add_argument("--version", action="version", version=f"relatent {version}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve.add_parser(commands)
    invert.add_parser(commands)
    restore.add_parser(commands)
    edit.add_parser(commands)
    diffuse.add_parser(commands)
    apply.add_parser(commands)
    read.add_parser(commands)
    sample.add_parser(commands)
    morph.add_parser(commands)
    catalog.add_parsers(commands)
    keys.add_parser(commands)
    demo.add_parser(commands)
    playground.add_parser(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Puts what is wrong with arguments, which may be files' names, in one line; so do its commands'."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


class _OnceAnAddress(logging.Filter):
    """Lets the first warning about each address through: attempts may be many."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[object] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        address = record.args[0] if isinstance(record.args, tuple) and record.args else record.msg
        new = address not in self._seen
        self._seen.add(address)
        return new


class _OneLine(logging.Formatter):
    """Keeps what a file's name holds from steering the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


def _show_warnings() -> None:
    # Pillow warns of what is odd in a file that it reads all the same, in lines about its own code.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("relatent: %(message)s"))
    handler.addFilter(_OnceAnAddress())
    logging.getLogger("relatent").handlers = [handler]


def _trace() -> None:
    """Trace what the command asks of services, if the environment asks for it."""
    try:
        set_up("relatent-command")
    except CannotTrace as error:
        print(f"relatent: not traced: {one_line(str(error))}", file=sys.stderr)


def _fail(message: str, code: int) -> int:
    print(f"relatent: {one_line(message)}", file=sys.stderr)
    return code
