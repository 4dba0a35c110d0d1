"""Namespaces of the kernel's: a network that can be cut, and disks that can be filled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NEAR, FAR = "10.77.0.1", "10.77.0.2"
WITH_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "--")
"""The words before a command that has mounts of its own."""
WITH_NETWORK = ("unshare", "--user", "--map-root-user", "--net", "--")
"""The words before one that has a network of its own."""


def why_no_mounts() -> str:
    """Why there can be none of a test's own here; empty where there can."""
    return _why_not(*WITH_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt")


def why_no_network() -> str:
    """Why there can be none of a test's own here; empty where there can."""
    return _why_not(*WITH_NETWORK, "ip", "link", "add", "near", "type", "veth", "peer", "name", "far")


def _why_not(*trial: str) -> str:
    try:
        tried = subprocess.run(trial, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return tried.stderr.strip() if tried.returncode else ""


class Cable:
    """Joins the namespace that this process is in with that of another one.

    Args:
        far: process id of that one.
    """

    def __init__(self, far: int) -> None:
        self.there = ["nsenter", f"--net=/proc/{far}/ns/net"]
        """The words that run a command at the far end."""
        _run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(far))
        _run("ip", "address", "add", f"{NEAR}/24", "dev", "near")
        _run("ip", "link", "set", "near", "up")
        _run(*self.there, "ip", "address", "add", f"{FAR}/24", "dev", "far")
        self.mend()

    def cut(self) -> None:
        """Nothing comes through any more; at the near end nobody is told."""
        _run(*self.there, "ip", "link", "set", "far", "down")

    def mend(self) -> None:
        """Everything comes through again."""
        _run(*self.there, "ip", "link", "set", "far", "up")


@contextmanager
def cable() -> Iterator[Cable]:
    """A cable to a namespace in which nothing runs yet; this process must have been started in one."""
    _run("ip", "link", "set", "lo", "up")
    stay = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec sleep 600"]
    with subprocess.Popen(stay, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"\n"
            yield Cable(holder.pid)
        finally:
            holder.kill()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
