"""A service that speaks TLS and asks for keys, as an operator sets it up."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import relatent
from relatent.core.addresses import parse_address
from tests.fixtures.certificates import Authority
from tests.system.processes import ServiceProcess


class Secured:
    """A service, the authority of its certificate, and keys."""

    def __init__(self, root: Path, folder: Path, *flags: str) -> None:
        self.authority = Authority(folder / "ca")
        self.server = self.authority.issue("server")
        self.keys = folder / "keys.json"
        self.log = folder / "server" / "log"
        self.key = self.new_key("ours")
        self.service = ServiceProcess(
            root,
            folder / "server",
            *("--engine", "local", "--log-level", "debug", "--api-keys", str(self.keys)),
            *("--tls-certificate", str(self.server.certificate), "--tls-key", str(self.server.key)),
            *flags,
        )

    def new_key(self, name: str, *words: str) -> str:
        return relatent_command("keys", "new", name, "--api-keys", str(self.keys), *words).stdout.strip()

    @property
    def address(self) -> str:
        return f"localhost:{parse_address(self.service.address).port}"

    def client(self, key: str | None = None) -> relatent.Client:
        tls = relatent.Tls(roots=self.authority.path)
        return relatent.Client(self.address, tls=tls, api_key=self.key if key is None else key, timeout=30)

    def scrape(self) -> str:
        context = ssl.create_default_context(cafile=self.authority.path)
        url = f"https://{self.service.ready['metrics']}/metrics"
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            return str(answer.read().decode())


def relatent_command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`relatent` as it is typed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELATENT_")}
    return subprocess.run(
        [sys.executable, "-m", "relatent", *words],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
