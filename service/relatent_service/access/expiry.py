"""When a certificate ends, read off its bytes: Python's `ssl` tells it of others' certificates alone."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_SEQUENCE, _EXPLICIT_0, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def ends_of(pem: bytes) -> datetime:
    """When the first certificate of a PEM file ends.

    Raises:
        ValueError: it is no certificate.
    """
    text = pem.decode("ascii", "ignore")
    first = text[text.index(_BEGIN) : text.index(_END) + len(_END)]
    # Certificate { tbsCertificate { [0] version?, serial, signature, issuer, validity { begin, end }, …
    _, certificate, _ = _element(ssl.PEM_cert_to_DER_cert(first))
    _, fields, _ = _element(certificate)
    tag, _, rest = _element(fields)
    if tag == _EXPLICIT_0:
        _, _, rest = _element(rest)
    _, _, rest = _element(rest)
    _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("expected a certificate's validity")
    _, _, rest = _element(validity)
    tag, end, _ = _element(rest)
    return _time(tag, end.decode("ascii"))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element of DER: its tag, its content, and what follows it."""
    if len(data) < 2:
        raise ValueError("expected more of a certificate")
    tag, length, start = data[0], data[1], 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("expected more of a certificate")
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049, as RFC 5280 has it
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("expected a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
