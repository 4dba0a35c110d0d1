"""Sizes and bills of images are read out of OCI archives."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from scripts.image_archives import BILL, read_archive, table


def tarred(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def archived(path: Path, layers: list[bytes], images: int = 1) -> Path:
    """An OCI archive of layers."""
    packed = [gzip.compress(layer) for layer in layers]
    config = {
        "config": {"Labels": {"org.opencontainers.image.title": "tiny"}},
        "rootfs": {"diff_ids": list(map(digest, layers))},
    }
    configured = json.dumps(config).encode()
    manifest = json.dumps(
        {
            "config": {"digest": digest(configured)},
            "layers": [{"digest": digest(one), "size": len(one)} for one in packed],
        }
    ).encode()
    blobs = {f"blobs/{digest(one).replace(':', '/')}": one for one in (configured, manifest, *packed)}
    index = json.dumps({"manifests": [{"digest": digest(manifest)}] * images}).encode()
    path.write_bytes(tarred({**blobs, "index.json": index}))
    return path


LOWEST = tarred({"bin/sh": b"x" * 100_000})
UPPER = tarred({BILL: b'{"bomFormat": "CycloneDX"}', "srv/code": b"y" * 20_000})


def test_an_image_is_as_large_as_its_layers(tmp_path: Path) -> None:
    image = read_archive(archived(tmp_path / "image.tar", [LOWEST, UPPER]))
    base = read_archive(archived(tmp_path / "base.tar", [LOWEST]))
    assert image.size == len(LOWEST) + len(UPPER)
    assert image.size_above(base) == len(UPPER)
    assert 0 < image.packed < image.size / 10
    assert table([("tiny", image, base)]).splitlines()[1].split()[0] == "tiny"


def test_labels_and_bill_are_found(tmp_path: Path) -> None:
    image = read_archive(archived(tmp_path / "image.tar", [LOWEST, UPPER]))
    assert image.labels == {"org.opencontainers.image.title": "tiny"}
    assert image.bill == '{"bomFormat": "CycloneDX"}'
    assert read_archive(archived(tmp_path / "base.tar", [LOWEST])).bill is None


def test_an_archive_of_several_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one image, got 2"):
        read_archive(archived(tmp_path / "image.tar", [LOWEST], images=2))
