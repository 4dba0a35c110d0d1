from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from relatent.core import credentials
from relatent.core.credentials import (
    CredentialFileError,
    CredentialPart,
    read_pair,
    read_roots,
    system_roots,
)
from relatent.core.files import read_file
from tests.fixtures.certificates import Authority, Issued


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue()


def refused(certificate: Path, key: Path) -> CredentialFileError:
    with pytest.raises(CredentialFileError) as caught:
        read_pair(certificate, key)
    return caught.value


def test_a_pair_is_read_as_it_is(issued: Issued) -> None:
    pair = read_pair(issued.certificate, issued.key)
    assert (pair.certificate, pair.key) == (issued.certificate.read_bytes(), issued.key.read_bytes())


def test_a_pair_does_not_print_its_key(issued: Issued) -> None:
    assert "PRIVATE" not in repr(read_pair(issued.certificate, issued.key))


def renewing_reads(monkeypatch: pytest.MonkeyPatch, renew: Callable[[], object]) -> None:
    """Renew the files between the reading of a certificate and that of its key."""

    def read(path: Path, most: int) -> bytes:
        data = read_file(path, most)
        if path.suffix == ".pem":
            renew()
        return data

    monkeypatch.setattr(credentials, "read_file", read)


def test_a_pair_that_is_renewed_while_it_is_read_is_one_pair(
    authority: Authority, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [authority.issue] * 3
    renewing_reads(monkeypatch, lambda: left.pop()() if left else None)
    pair = read_pair(issued.certificate, issued.key)
    assert not left
    assert (pair.certificate, pair.key) == (issued.certificate.read_bytes(), issued.key.read_bytes())


def test_a_pair_that_changes_whenever_it_is_read_is_told(
    authority: Authority, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewing_reads(monkeypatch, authority.issue)
    told = str(refused(issued.certificate, issued.key))
    assert told == f"{issued.key}: changes, or {issued.certificate} does, whenever it is read"


def test_a_key_of_another_certificate_is_told_with_both_files(authority: Authority, issued: Issued) -> None:
    other = authority.issue("other")
    error = refused(issued.certificate, other.key)
    assert error.part is CredentialPart.KEY
    assert str(error) == f"{other.key}: does not belong to the certificate {issued.certificate}"


def test_a_missing_file_is_told(issued: Issued, tmp_path: Path) -> None:
    assert (
        str(refused(tmp_path / "none.pem", issued.key)) == f"{tmp_path}/none.pem: No such file or directory"
    )


@pytest.mark.parametrize("part", [CredentialPart.CERTIFICATE, CredentialPart.KEY])
def test_files_that_were_taken_for_one_another_are_told(issued: Issued, part: CredentialPart) -> None:
    swapped = refused(
        *((issued.key, issued.key) if part is CredentialPart.CERTIFICATE else (issued.certificate,) * 2)
    )
    assert swapped.part is part
    assert "in PEM" in str(swapped)


@pytest.mark.parametrize("part", ["certificate", "key"])
def test_a_broken_file_is_told(issued: Issued, part: str) -> None:
    path: Path = getattr(issued, part)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"broken\n", *lines[2:]]))
    error = refused(issued.certificate, issued.key)
    assert error.part.value == part
    assert str(path) in str(error)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(issued: Issued) -> None:
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    issued.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    error = refused(issued.certificate, issued.key)
    assert error.part is CredentialPart.KEY
    assert "without a passphrase" in str(error)


def test_roots_are_read_whatever_stands_between_them(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "two.pem"
    path.write_bytes(b"# Zertifikate f\xc3\xbcr uns\n" + authority.pem + b"# und\n" + authority.pem)
    assert read_roots(path) == path.read_bytes()


def test_a_file_without_roots_is_told(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(CredentialFileError, match=r"none\.pem: expected certificates in PEM"):
        read_roots(tmp_path / "none.pem")


def test_the_systems_roots_are_those_that_the_environment_names(authority: Authority) -> None:
    assert system_roots({"SSL_CERT_FILE": str(authority.path)}) == authority.pem


def test_roots_that_the_environment_names_and_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(CredentialFileError, match="No such file"):
        system_roots({"SSL_CERT_FILE": str(tmp_path / "none.pem")})


def test_grpcs_own_setting_is_left_to_grpc(authority: Authority) -> None:
    environment = {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(authority.path),
        "SSL_CERT_FILE": str(authority.path),
    }
    assert system_roots(environment) is None
