"""Read images out of OCI archives: what they are made of, and how large that is."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BILL = "usr/share/doc/relatent/sbom.cdx.json"
"""Where an image has the CycloneDX bill of what is in it."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        digest: SHA-256 of its tar file; layers that two images share have the same.
        size: bytes of its tar file.
        packed: bytes as it is sent, gzipped.
    """

    digest: str
    size: int
    packed: int


@dataclass(frozen=True)
class ArchivedImage:
    """An image.

    Attributes:
        config: OCI's image configuration, with `config` and `rootfs`.
        layers: the lowest first.
        bill: the text of its CycloneDX bill; None without one.
    """

    config: dict[str, Any]
    layers: tuple[Layer, ...]
    bill: str | None

    @property
    def size(self) -> int:
        """Bytes of all layers, unpacked."""
        return sum(layer.size for layer in self.layers)

    @property
    def packed(self) -> int:
        """Bytes of all layers, gzipped."""
        return sum(layer.packed for layer in self.layers)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.config["config"].get("Labels") or {})

    def size_above(self, base: ArchivedImage) -> int:
        """Bytes of the layers that another image has not, unpacked."""
        known = {layer.digest for layer in base.layers}
        return sum(layer.size for layer in self.layers if layer.digest not in known)


def read_archive(path: Path) -> ArchivedImage:
    """Read the one image of an OCI archive.

    Raises:
        ValueError: it holds none, or several.
    """
    with tarfile.open(path) as archive:
        manifests = _json(archive, "index.json")["manifests"]
        if len(manifests) != 1:
            raise ValueError(f"{path}: expected one image, got {len(manifests)}")
        manifest = _json(archive, _blob(manifests[0]["digest"]))
        config = _json(archive, _blob(manifest["config"]["digest"]))
        layers, bill = [], None
        for digest, told in zip(config["rootfs"]["diff_ids"], manifest["layers"], strict=True):
            layer = gzip.decompress(_bytes(archive, _blob(told["digest"])))
            layers.append(Layer(digest, len(layer), told["size"]))
            bill = _bill(layer) or bill
    return ArchivedImage(config, tuple(layers), bill)


def table(images: Sequence[tuple[str, ArchivedImage, ArchivedImage]]) -> str:
    """Sizes of images, each with its name and its base, for people: in units of a million bytes."""
    rows = [f"{'image':<14}{'MB':>7}{'of which its base':>20}{'as it is sent':>16}"]
    for name, image, base in images:
        of_base = image.size - image.size_above(base)
        rows.append(f"{name:<14}{image.size / 1e6:>7.0f}{of_base / 1e6:>20.0f}{image.packed / 1e6:>16.0f}")
    return "\n".join(rows)


def _bill(layer: bytes) -> str | None:
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        try:
            return _bytes(files, BILL).decode()
        except KeyError:
            return None


def _json(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_bytes(archive, name))
    return read


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{archive.name!r}: {name}: expected a file")
    with file:
        return file.read()


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
