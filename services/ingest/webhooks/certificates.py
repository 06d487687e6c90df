"""The certificate that SNS signs with: believed by its chain to a root of Amazon's, and by its name. No I/O.

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
from urllib.parse import urlsplit

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
from services.ingest.webhooks.settings import PREFIX
from services.ingest.webhooks.shared_secret_signatures import Unauthenticated

MAX_CHAIN = 4
"""Certificates below the root; Amazon has two."""
_ISSUERS = re.compile(r"https?://[a-z0-9.-]+\.amazontrust\.com/[A-Za-z0-9._/-]+\Z")
_AMAZON = re.compile(r"CN=(?:Amazon Root CA \d|Starfield Services Root Certificate Authority - G2),")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates(body: bytes) -> list[Certificate]:
    """Return what an address of a certificate gave, in PEM or, as issuers are, in DER. Raises `Unauthenticated`."""
    try:
        return load_pem_x509_certificates(body) if _PEM.search(body) else [load_der_x509_certificate(body)]
    except ValueError:
        raise Unauthenticated("certificate", "SigningCertURL: no certificate is there") from None


def issuer_address(chain: Sequence[Certificate], roots: Sequence[Certificate]) -> str | None:
    """Return where the certificate is that continues this chain; None when none is missing, or none is to be had."""
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
    return next((place for place in places if _ISSUERS.match(place)), None)


def verify_chain(chain: Sequence[Certificate], roots: Sequence[Certificate], url: str, now: datetime) -> None:
    """Check that the first certificate leads to a root, now, and is the one of SNS. Raises `Unauthenticated`."""
    leaf, *issuers = chain
    wanted = names_of_sns(url)
    name = next((name for name in _names(leaf) if name in wanted), None)
    if name is None:
        raise Unauthenticated("certificate", f"SigningCertURL: the certificate is of none of {', '.join(wanted)}")
    try:
        verifier = PolicyBuilder().store(Store(list(roots))).time(now).max_chain_depth(MAX_CHAIN)
        verifier.build_server_verifier(DNSName(name)).verify(leaf, issuers)
    except VerificationError:
        raise Unauthenticated(
            "certificate", "SigningCertURL: the certificate does not lead to a root of Amazon's"
        ) from None


def names_of_sns(url: str) -> list[str]:
    """Return the names that the certificate at this address of SNS may have.

    Most regions share one; those that have to be enabled, China and the government of the United States have their own:
    https://github.com/aws/aws-sdk-java-v2/tree/master/services-custom/sns-message-manager
    """
    host = urlsplit(url).hostname or ""
    region, _, domain = host.removeprefix("sns.").partition(".")
    own = [f"sns-signing.{region}.{domain}", f"sns-{region}.{domain}", host]
    if region.startswith("us-gov-"):
        return ["sns-us-gov-west-1.amazonaws.com", *own]
    return own if domain.endswith(".cn") else ["sns.amazonaws.com", *own]


@lru_cache(maxsize=8)
def roots_in(path: str) -> tuple[Certificate, ...]:
    """Return the certificates that are believed: of a file in PEM, or Amazon's own roots. Raises `InvalidSettings`."""
    if path:
        try:
            return tuple(load_pem_x509_certificates(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            raise InvalidSettings(
                f"{PREFIX}SES_ROOTS: {path}: no certificates in PEM ({type(error).__name__})"
            ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # of roots that are not Amazon's
        known = load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    return tuple(root for root in known if _AMAZON.match(root.subject.rfc4514_string()))


def _names(certificate: Certificate) -> list[str]:
    try:
        return certificate.extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName)
    except (ExtensionNotFound, ValueError):
        return []
