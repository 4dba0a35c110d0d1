"""What others could do to a service that listens to them."""

from __future__ import annotations

from ipaddress import ip_address

from relatent.core.addresses import Address


def exposure(listen: Address, metrics: Address, *, tls: bool, known: bool) -> list[str]:
    """What to warn of, in sentences that name the flags; empty where nothing is open to other machines.

    Args:
        listen: where calls come in.
        metrics: where scrapes do.
        tls: whether both are encrypted.
        known: whether callers must show a key or a certificate.
    """
    warnings = []
    if _beyond_loopback(listen):
        if not tls:
            warnings.append(
                f"--listen {listen} is open to other machines, and what is sent, keys included, can be read "
                "on the way: give --tls-certificate and --tls-key"
            )
        if not known:
            warnings.append(
                f"--listen {listen} is open to other machines, and whoever reaches it may call: "
                "give --api-keys or --tls-client-ca"
            )
    if _beyond_loopback(metrics) and not tls:
        warnings.append(
            f"--metrics-listen {metrics} is open to other machines, and tells them names of packs and load: "
            "give --tls-certificate and --tls-key, and --tls-client-ca to know who asks"
        )
    return [f"{warning}; or say --insecure where a network or a proxy sees to it" for warning in warnings]


def _beyond_loopback(address: Address) -> bool:
    try:
        if ip_address(address.host).is_unspecified:  # every address of this machine
            return True
    except ValueError:
        pass
    return not address.local
