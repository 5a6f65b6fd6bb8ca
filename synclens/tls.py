"""A certificate for a server on this machine, made when it starts."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass

NAMES = ("localhost", "127.0.0.1", "::1")
"""Names and addresses that the certificate is valid for. All of them are loopback."""


@dataclass(frozen=True, slots=True)
class LoopbackCertificate:
    """A server certificate with its own authority.

    `authority` is the certificate that clients must trust, as PEM. `fingerprint` is the SHA-256 of the server
    certificate. The private keys exist in memory only.
    """

    context: ssl.SSLContext
    authority: bytes
    fingerprint: str


def make_loopback_certificate() -> LoopbackCertificate:
    """Make a certificate authority and a server certificate for loopback addresses."""
    import trustme  # noqa: PLC0415 - an optional dependency

    authority = trustme.CA(organization_name="SyncLens", organization_unit_name="Reference Vault")
    leaf = authority.issue_cert(*NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    leaf.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode("ascii"))
    digest = hashlib.sha256(der).hexdigest().upper()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    return LoopbackCertificate(context, authority.cert_pem.bytes(), fingerprint)
