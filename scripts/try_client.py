"""The client alone, as its wheel installs it, on every Python at hand: `make test-client`.

For each Python, one environment with the oldest libraries that pyproject.toml allows there and one with the
newest; and for one of them, the major versions of protobuf between. In each, `scripts/client_check.py` talks
to a real service, which runs in the environment that runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from packaging.requirements import Requirement
from packaging.version import Version

from relatent.cli.local_service import LocalService
from relatent.core.access_keys import keys_document, make_key, new_secret
from relatent.core.addresses import parse_address
from scripts.figures import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROTOBUFS_BETWEEN = ("5", "6")
SHOWN = ("grpcio", "protobuf", "numpy", "pillow")
INSTALL_SECONDS = 600
CHECK_SECONDS = 300


@dataclass(frozen=True)
class Environment:
    """Where the client is tried.

    Attributes:
        python: the interpreter.
        version: its version, such as 3.11.
        libraries: what they are called in the table.
        wanted: requirements beside the wheel itself.
        extra: of the wheel's; empty: none.
    """

    python: Path
    version: str
    libraries: str
    wanted: tuple[str, ...] = ()
    extra: str = ""


def oldest(dependencies: Sequence[str], version: str) -> tuple[str, ...]:
    """The oldest release of each dependency that a Python is allowed, as exact requirements."""
    bounds: dict[str, list[Version]] = {}
    for requirement in map(Requirement, dependencies):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": version}):
            least = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
            bounds.setdefault(requirement.name, []).extend(least)
    return tuple(f"{name}=={max(versions)}" for name, versions in bounds.items())


def interpreter(version: str) -> Path | None:
    """An interpreter of a version: on the path, or one that pyenv or uv has; None if there is none."""
    candidates = [shutil.which(f"python{version}")]
    if pyenv := shutil.which("pyenv"):
        root = Path(_said([pyenv, "root"]) or ".")
        candidates += map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True))
    if uv := shutil.which("uv"):
        candidates.append(_said([uv, "python", "find", "--no-python-downloads", version]))
    for candidate in filter(None, candidates):
        # Names that exist but do not run, a version manager's unselected versions, are passed over.
        if (
            _said([candidate, "-c", "import venv, ensurepip, sys; print('%d.%d' % sys.version_info[:2])"])
            == version
        ):
            return Path(candidate)
    return None


def environments(pythons: dict[str, Path]) -> Iterator[Environment]:
    """Where to try."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for version, python in pythons.items():
        yield Environment(python, version, "oldest", oldest(dependencies, version))
        yield Environment(python, version, "newest")
    version, python = next(iter(pythons.items()))
    for major in PROTOBUFS_BETWEEN:
        yield Environment(python, version, f"protobuf {major}", (f"protobuf=={major}.*",))
    yield Environment(python, version, "with traces", extra="tracing")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of what is here, from a copy, so that nothing left of an earlier build is in it."""
    source = folder / "source"
    skipped = shutil.ignore_patterns("__pycache__")
    for package in ("relatent", "service", "export"):
        shutil.copytree(ROOT / package, source / package, ignore=skipped)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            str(source),
        ]
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextmanager
def services(folder: Path) -> Iterator[list[str]]:
    """Two services: one for everybody, and one that speaks TLS and asks for keys.

    Yields:
        What `scripts/client_check.py` is told of them.
    """
    packs = ["--packs", str(ROOT / "packs"), "--repository", str(ROOT / "model_repository")]
    flags = ["--engine", "local", *packs]
    made, secret = trustme.CA(), new_secret()
    issued = made.issue_cert("localhost")
    authority, certificate, key, keys = (folder / name for name in ("ca.pem", "s.pem", "s.key", "keys.json"))
    made.cert_pem.write_to_path(str(authority))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    keys.write_bytes(keys_document([make_key("client", secret, [], None)]))
    access = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--api-keys", str(keys)]
    with (
        LocalService(flags, folder / "open.log") as to_all,
        LocalService([*flags, *access], folder / "secured.log") as secured,
    ):
        address = f"localhost:{parse_address(secured.address).port}"
        yield [to_all.address, address, str(authority), secret]


def check(
    environment: Environment, wheel: Path, told: Sequence[str], folder: Path
) -> tuple[dict[str, str], str]:
    """Install the wheel in an environment of its own and try it.

    Args:
        environment: what is installed with it.
        wheel: of the client.
        told: of the services.
        folder: for the environment.

    Returns:
        The versions of its libraries, and what went wrong: nothing, if all is well.
    """
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    package = f"{wheel}[{environment.extra}]" if environment.extra else str(wheel)
    try:
        _run([str(environment.python), "-m", "venv", str(folder)])
        _run([*pip, "install", "--quiet", "--only-binary", ":all:", package, *environment.wanted])
        listed = dict(line.split("==") for line in _run([*pip, "list", "--format=freeze"]).splitlines())
    except subprocess.SubprocessError as error:
        return {}, f"cannot be installed:\n{_why(error)}"
    try:
        # Isolated, and elsewhere, so that it imports the wheel and not this checkout.
        _run([python, "-I", str(ROOT / "scripts" / "client_check.py"), *told], folder, CHECK_SECONDS)
    except subprocess.SubprocessError as error:
        return listed, _why(error)
    return listed, ""


def main() -> int:
    """Try every environment and print what was tried; 1 if one failed."""
    found = {version: interpreter(version) for version in PYTHONS}
    pythons = {version: python for version, python in found.items() if python is not None}
    missing = [version for version in PYTHONS if version not in pythons]
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="relatent-") as name:
        folder = Path(name)
        wheel = build_wheel(folder)
        with services(folder) as told:
            print("| Python | Libraries | " + " | ".join(SHOWN) + " | |\n|" + "---|" * (len(SHOWN) + 3))
            for index, environment in enumerate(environments(pythons)):
                listed, wrong = check(environment, wheel, told, folder / f"environment{index}")
                versions = " | ".join(listed.get(library, "?") for library in SHOWN)
                verdict = "FAILED" if wrong else "passed"
                print(
                    f"| {environment.version} | {environment.libraries} | {versions} | {verdict} |",
                    flush=True,
                )
                if wrong:
                    failures.append(f"Python {environment.version}, {environment.libraries}: {wrong}")
    for version in missing:
        print(f"Not tried: Python {version}, of which there is no interpreter here.")
    print(*failures, sep="\n\n", file=sys.stderr)
    return int(bool(failures) or not pythons)


def _run(command: Sequence[str], folder: Path | None = None, seconds: float | None = None) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RELATENT_"))
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS if seconds is None else seconds,
        check=True,
    )
    return done.stdout


def _why(error: subprocess.SubprocessError) -> str:
    match error:
        case subprocess.CalledProcessError():
            return f"{error.stdout}{error.stderr}"
        case subprocess.TimeoutExpired():
            return f"nothing came in {error.timeout} s"
        case _:
            return str(error)


def _said(command: Sequence[str]) -> str:
    """What a command prints; nothing where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


if __name__ == "__main__":
    raise SystemExit(main())
