"""`relatent keys`: the file of API keys that a service lets in with `--api-keys`, and what each may have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from relatent.cli import arguments, output
from relatent.cli.printing import say
from relatent.client.errors import InputError
from relatent.core.access_keys import (
    AccessKey,
    AccessKeysError,
    Quota,
    keys_document,
    make_key,
    new_secret,
    parse_time,
    read_keys,
)
from relatent.core.files import write_file
from relatent.core.traffic import TrafficClass

_LIFTED = 0
"""What stands for a quota that is to be none."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "keys",
        help="make, change, list and revoke API keys of a service",
        description="Make, change, list and revoke the API keys in a file that a service reads with "
        "--api-keys. The file holds hashes alone; a running service notices a change within seconds.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key and print it, once")
    new.add_argument("name", help="whose it is")
    new.add_argument(
        "--pack", action="append", default=[], metavar="NAME", help="that it is for, repeatable; default: all"
    )
    until = new.add_mutually_exclusive_group()
    until.add_argument("--days", type=arguments.whole, help="how long it is let in; default: for good")
    until.add_argument(
        "--expires", type=_time, metavar="TIME", help="or until when, such as 2027-01-31T00:00:00Z"
    )
    new.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="write the key there, for --api-key-file; prints none"
    )
    new.set_defaults(run=run_new)
    change = actions.add_parser("set", help="change what the calls of a key may have")
    change.add_argument("name", help="whose it is")
    change.set_defaults(run=run_set)
    for action in (new, change):
        _add_quota(action)
    listing = actions.add_parser("list", help="list the keys: names, packs, classes, quotas and times")
    arguments.add_json(listing)
    listing.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="let a key in no more")
    revoke.add_argument("name", help="whose it is")
    revoke.set_defaults(run=run_revoke)
    for action in (new, change, listing, revoke):
        action.add_argument(
            "--api-keys",
            type=Path,
            default=os.environ.get("RELATENT_API_KEYS") or "keys.json",
            metavar="FILE",
            help="the file (RELATENT_API_KEYS; default: %(default)s)",
        )


def run_new(args: argparse.Namespace) -> int:
    """Make a key."""
    expires = args.expires
    if args.days is not None:
        try:
            expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=args.days)
        except OverflowError:
            raise InputError(f"--days: expected fewer, got {args.days}") from None
    if args.out is not None and args.out.resolve() == args.api_keys.resolve():
        raise InputError(f"--out {args.out}: expected another file than that of --api-keys")
    with _alone(args.api_keys):
        secret = _add(args, expires)
    say(secret if args.out is None else f"{args.out} holds the key {args.name!r}; it is nowhere else")
    return 0


def run_set(args: argparse.Namespace) -> int:
    """Change what the calls of a key may have."""
    with _alone(args.api_keys):
        keys = _read(args.api_keys)
        old = _named(args, keys)
        try:
            new = _changed(old, args)
        except AccessKeysError as error:
            raise InputError(str(error)) from error
        _write(args.api_keys, [new if key is old else key for key in keys])
    say(f"{args.name!r}: {_rights(new)}; as soon as the service has noticed, within seconds")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """List the keys."""
    keys = _read(args.api_keys)
    if args.json:
        output.print_json({"keys": [_described(key) for key in keys]})
        return 0
    rows = [
        (
            key.name,
            "all" if key.packs is None else ", ".join(key.packs),
            key.traffic_class.value,
            _shown(key.quota.steps_a_minute),
            _shown(key.quota.calls_in_flight),
            "never" if key.expires is None else key.expires.isoformat(),
            "expired" if key.expired() else "let in",
        )
        for key in keys
    ]
    say(output.table(("NAME", "PACKS", "CLASS", "STEPS/MIN", "CALLS", "EXPIRES", "STATE"), rows))
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """Let a key in no more."""
    with _alone(args.api_keys):
        keys = _read(args.api_keys)
        revoked = _named(args, keys)
        _write(args.api_keys, [key for key in keys if key is not revoked])
    say(f"{args.name!r} is let in no more, as soon as the service has noticed, within seconds")
    return 0


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let no other command read the file, and change it, before this one has written what it makes of it.

    What is locked is the folder, which leaves nothing beside the file. Where that cannot be had, writing will
    tell what is wrong with it, if anything is.
    """
    import fcntl  # not everywhere where there are clients

    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # some file systems lock nothing
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _add(args: argparse.Namespace, expires: datetime | None) -> str:
    """Make a key and put it into the file; its secret, which goes to another where there is one."""
    keys = _read(args.api_keys) if args.api_keys.exists() else []
    if any(key.name == args.name for key in keys):
        raise InputError(
            f"{args.api_keys}: a key {args.name!r} is there; revoke it first, or take another name"
        )
    secret = new_secret()
    try:
        key = _changed(make_key(args.name, secret, args.pack, expires), args)
    except AccessKeysError as error:
        raise InputError(str(error)) from error
    if args.out is not None:
        _write_secret(args.out, secret)
    try:
        _write(args.api_keys, [*keys, key])
    except OSError:
        if args.out is not None:
            args.out.unlink(missing_ok=True)  # a key that nobody lets in
        raise
    return secret


def _add_quota(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--class",
        dest="traffic_class",
        choices=list(TrafficClass),
        help="the first class that its calls may have: interactive, so either, or bulk alone",
    )
    action.add_argument(
        "--steps-a-minute", type=_quota, metavar="N", help="of the engine; none: any number, as by default"
    )
    action.add_argument(
        "--calls-in-flight", type=_quota, metavar="N", help="at a time; none: any number, as by default"
    )


def _quota(text: str) -> int:
    return _LIFTED if text == "none" else arguments.whole(text)


def _changed(key: AccessKey, args: argparse.Namespace) -> AccessKey:
    """The same key with what the flags say of its class and quotas.

    Raises:
        AccessKeysError: a quota is too large.
    """
    flags = {name: getattr(args, name) for name in ("steps_a_minute", "calls_in_flight")}
    told = {name: most or None for name, most in flags.items() if most is not None}
    quota = Quota(**(vars(key.quota) | told))
    wanted = key.traffic_class if args.traffic_class is None else TrafficClass(args.traffic_class)
    return replace(key, traffic_class=wanted, quota=quota)


def _named(args: argparse.Namespace, keys: Sequence[AccessKey]) -> AccessKey:
    """The key that is named.

    Raises:
        InputError: there is none.
    """
    found = next((key for key in keys if key.name == args.name), None)
    if found is None:
        names = ", ".join(key.name for key in keys) or "none"
        raise InputError(f"{args.api_keys}: no key {args.name!r}; there are: {names}")
    return found


def _rights(key: AccessKey) -> str:
    steps, calls = _shown(key.quota.steps_a_minute), _shown(key.quota.calls_in_flight)
    return f"{key.traffic_class}, {steps} steps a minute, {calls} calls in flight"


def _shown(most: int | None) -> str:
    return "any" if most is None else str(most)


def _described(key: AccessKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "packs": None if key.packs is None else list(key.packs),
        "class": key.traffic_class.value,
        "steps_a_minute": key.quota.steps_a_minute,
        "calls_in_flight": key.quota.calls_in_flight,
        "expires": None if key.expires is None else key.expires.isoformat(),
        "expired": key.expired(),
    }


def _read(path: Path) -> list[AccessKey]:
    try:
        return read_keys(path)
    except AccessKeysError as error:
        raise InputError(str(error)) from error


def _write(path: Path, keys: Sequence[AccessKey]) -> None:
    write_file(path, keys_document(keys))


def _write_secret(path: Path, secret: str) -> None:
    """Write a key where nobody else can read it, and over nothing."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"--out {path}: is there; a key is written over nothing") from None
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{secret}\n")
    except BaseException:
        path.unlink(missing_ok=True)  # or it would be in the way of the next try
        raise


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time with its zone, such as 2027-01-31T00:00:00Z, got {text!r}"
        ) from None
