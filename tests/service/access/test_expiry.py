from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relatent_service.access.expiry import ends_of
from tests.fixtures.certificates import Authority


@pytest.mark.parametrize("year", [2021, 2049, 2050, 2120])
def test_a_certificates_end_is_read_off_it_however_it_is_written(year: int, tmp_path: Path) -> None:
    ends = datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC)
    issued = Authority(tmp_path / "ca").issue(ends=ends)
    assert ends_of(issued.certificate.read_bytes()) == ends


def test_of_a_chain_it_is_the_first_one_that_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    ends = datetime(2031, 1, 1, tzinfo=UTC)
    issued = authority.issue(ends=ends)
    assert ends_of(b"text\n" + issued.certificate.read_bytes() + authority.pem) == ends


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_half_a_certificate_has_no_end_to_tell(cut: int, tmp_path: Path) -> None:
    pem = Authority(tmp_path / "ca").issue().certificate.read_text()
    first = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
    half = base64.b64encode(ssl.PEM_cert_to_DER_cert(first)[:cut]).decode()
    with pytest.raises(ValueError, match="expected"):
        ends_of(f"-----BEGIN CERTIFICATE-----\n{half}\n-----END CERTIFICATE-----\n".encode())
