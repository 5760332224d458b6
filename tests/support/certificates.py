"""Certificates for servers of tests, right ones and such as browsers refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def self_signed(directory: Path, host: str, valid_for: timedelta = timedelta(days=1)) -> Path:
    """Write a certificate with its key for a host, which signs itself; return the file."""
    key, until = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + valid_for
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, SHA256())
    )
    path = directory / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return path


def serving(path: Path) -> SSLContext:
    """Return what a server needs to answer with a certificate."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
