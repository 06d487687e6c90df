"""The certificate that a topic signs with: believed by its chain to a root, and by its name. No I/O.

What SNS serves holds the certificate alone. It names its issuer's (RFC 5280, 4.2.2.1), an intermediate of Amazon Trust
Services, which is fetched from there, in the clear as that is customary: what counts is who signed it.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://www.amazontrust.com/repository/
"""

import re
import warnings
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import certifi
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import (
    AuthorityInformationAccess,
    Certificate,
    DNSName,
    ExtensionNotFound,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from returpost.errors import InvalidSettings
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.settings import PREFIX

MAX_CHAIN = 4
"""Certificates below the root; Amazon has two."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates(body: bytes) -> list[Certificate]:
    """Return what an address of a certificate gave, in PEM or, as issuers are, in DER. Raises `Unauthenticated`."""
    try:
        return load_pem_x509_certificates(body) if _PEM.search(body) else [load_der_x509_certificate(body)]
    except ValueError:
        raise Unauthenticated("certificate", "SigningCertURL: no certificate is there") from None


def issuer_address(chain: Sequence[Certificate], roots: Sequence[Certificate], issuers: str) -> str | None:
    """Return where the certificate is that continues this chain; None when none is missing, or none is to be had.

    `issuers` is an expression for the addresses that may be asked.
    """
    last = chain[-1]
    if len(chain) >= MAX_CHAIN or last.issuer == last.subject or any(last.issuer == root.subject for root in roots):
        return None
    try:
        access = last.extensions.get_extension_for_class(AuthorityInformationAccess).value
    except (ExtensionNotFound, ValueError):
        return None
    places = [
        entry.access_location.value
        for entry in access
        if entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(entry.access_location, UniformResourceIdentifier)
    ]
    return next((place for place in places if re.fullmatch(issuers, place)), None)


def verify_chain(
    chain: Sequence[Certificate], roots: Sequence[Certificate], names: Sequence[str], now: datetime
) -> None:
    """Check that the first certificate leads to a root, now, and has one of the names. Raises `Unauthenticated`."""
    leaf, *issuers = chain
    name = next((name for name in _names(leaf) if name in names), None)
    if name is None:
        raise Unauthenticated("certificate", f"SigningCertURL: the certificate is of none of {', '.join(names)}")
    try:
        verifier = PolicyBuilder().store(Store(list(roots))).time(now).max_chain_depth(MAX_CHAIN)
        verifier.build_server_verifier(DNSName(name)).verify(leaf, issuers)
    except VerificationError:
        raise Unauthenticated(
            "certificate", "SigningCertURL: the certificate does not lead to a root that is trusted"
        ) from None


@lru_cache(maxsize=8)
def roots_in(path: str, usual: str) -> tuple[Certificate, ...]:
    """Return the certificates that are believed: those of a file in PEM, else of those that browsers trust the ones
    whose names `usual` finds. Raises `InvalidSettings`.
    """
    if path:
        try:
            return tuple(load_pem_x509_certificates(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            raise InvalidSettings(
                f"{PREFIX}..._ROOTS: {path}: no certificates in PEM ({type(error).__name__})"
            ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # of roots that are not meant
        known = load_pem_x509_certificates(Path(certifi.where()).read_bytes())
        return tuple(root for root in known if re.match(usual, root.subject.rfc4514_string()))


def _names(certificate: Certificate) -> list[str]:
    try:
        return certificate.extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName)
    except (ExtensionNotFound, ValueError):
        return []
