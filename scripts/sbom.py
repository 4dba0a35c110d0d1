"""Write what is in an image as a CycloneDX bill: Python's packages, the system's, packs and graphs.

The Dockerfile runs this file by itself, beside `cyclonedx-py`, which reads Python's packages; the rest is
added here, and the whole is held against CycloneDX's schema. The same image makes the same bill: it has
neither a time nor a number of its own. It makes one of any environment: `python -m scripts.sbom --help`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

SCHEMA = SchemaVersion.V1_6
INSTALLED = "install ok installed"

Component = dict[str, Any]
"""As the schema has it."""


class BillInvalid(Exception):
    """A bill is not what CycloneDX's schema wants; the message says where."""


def main() -> int:
    """Write one."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sbom", description="Write a CycloneDX bill.")
    parser.add_argument("--name", required=True, help="the image's")
    parser.add_argument("--version", required=True, help="the image's")
    parser.add_argument("--environment", type=Path, help="a virtual environment, or its Python")
    parser.add_argument("--system", type=Path, help="the root of a system with Debian's packages")
    parser.add_argument("--packs", type=Path, help="a folder of packs")
    parser.add_argument("--graphs", type=Path, help="a model repository")
    parser.add_argument("--out", type=Path, required=True, help="the file")
    asked = parser.parse_args()
    found: dict[str, Any] = environment_bill(asked.environment) if asked.environment else {}
    more = [
        *(system_components(asked.system) if asked.system else ()),
        *(pack_components(asked.packs) if asked.packs else ()),
        *(graph_components(asked.graphs) if asked.graphs else ()),
    ]
    asked.out.write_text(json.dumps(bill(asked.name, asked.version, found, more), indent=1) + "\n")
    return 0


def bill(name: str, version: str, environment: dict[str, Any], more: list[Component]) -> dict[str, Any]:
    """The bill of an image.

    Args:
        name: the image's.
        version: the image's.
        environment: the bill of its Python environment, or empty.
        more: what else is in it.

    Raises:
        BillInvalid: the schema does not take it.
    """
    components = [*environment.get("components", []), *more]
    references = [component["bom-ref"] for component in components]
    image = {"bom-ref": "image", "type": "container", "name": name, "version": version}
    known = [entry for entry in environment.get("dependencies", []) if entry["ref"] in references]
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": image},
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": [{"ref": "image", "dependsOn": sorted(references)}, *known],
    }
    check(json.dumps(made))
    return made


def check(text: str) -> None:
    """Hold a bill against CycloneDX's schema.

    Raises:
        BillInvalid: it does not fit.
    """
    if (error := JsonStrictValidator(SCHEMA).validate_str(text)) is not None:
        raise BillInvalid(str(error))


def environment_bill(environment: Path) -> dict[str, Any]:
    """What cyclonedx-py makes of a Python environment."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    command += ["--spec-version", "1.6", "--output-format", "JSON", str(environment)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def system_components(root: Path) -> Iterator[Component]:
    """Debian's or Ubuntu's packages of a system."""
    told = re.findall(r'^(\w+)="?([^"\n]*)', (root / "usr/lib/os-release").read_text(), re.MULTILINE)
    system = dict(told)
    for entry in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", entry, re.MULTILINE))
        if fields.get("Status") != INSTALLED:
            continue
        qualifiers = {"arch": fields["Architecture"], "distro": f"{system['ID']}-{system['VERSION_ID']}"}
        address = PackageURL("deb", system["ID"], fields["Package"], fields["Version"], qualifiers)
        yield {
            "bom-ref": address.to_string(),
            "type": "library",
            "name": fields["Package"],
            "version": fields["Version"],
            "purl": address.to_string(),
        }


def pack_components(folder: Path) -> Iterator[Component]:
    """The packs of a folder, by the revision of their weights."""
    for manifest in sorted(folder.glob("*/pack.toml")):
        pack = tomllib.loads(manifest.read_text())
        yield {
            "bom-ref": f"pack:{pack['name']}",
            "type": "data",
            "name": pack["name"],
            "version": pack["revision"],
            "description": pack["description"],
            "licenses": [{"license": {"name": pack["licence"]}}],
        }


def graph_components(repository: Path) -> Iterator[Component]:
    """The graphs of a model repository, by their digests."""
    for path in sorted(repository.glob("*/*/model.onnx")):
        name, version = path.parts[-3:-1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield {
            "bom-ref": f"graph:{name}",
            "type": "machine-learning-model",
            "name": name,
            "version": version,
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }


if __name__ == "__main__":
    sys.exit(main())
