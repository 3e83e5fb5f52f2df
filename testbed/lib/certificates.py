# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities of a test, and what they sign: made when the test runs, kept nowhere."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def _now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def _general_name(text):
    """ "sip:example.com" is a URI, "192.0.2.1" an address, anything else a DNS name."""
    if text.startswith(("sip:", "sips:")):
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(path, data, mode):
    """Moved into its place, as whoever renews certificates should."""
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


class Authority:
    """ca = Authority(directory); chain, key = ca.issue("sip.example.com", "sip:example.com", days=1); ca.path is its own certificate."""

    def __init__(self, directory, name="ca"):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.name = directory, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key.public_key(), (), 3650, 0, True)
        self.path = os.path.join(directory, f"{name}.pem")
        _write(self.path, self.certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def _sign(self, common_name, public_key, names, days, from_days, authority):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        start = _now() + datetime.timedelta(days=from_days) - datetime.timedelta(minutes=5)
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(subject if authority else self.certificate.subject).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(start)
                   .not_valid_after(_now() + datetime.timedelta(days=from_days + days))
                   .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, *names, days=30, from_days=0, directory=None, name=None, rsa_bits=0):
        """Paths of a chain and its key, NAME.crt and NAME.key (NAME: the first of names). It begins from_days from now and lasts so many days: -2, 1 is one that
        expired yesterday."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(names[0], key.public_key(), names, days, from_days, False)
        directory = directory or self.directory
        os.makedirs(directory, exist_ok=True)
        stem = os.path.join(directory, name or names[0].replace(":", "_"))
        _write(stem + ".key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), 0o600)
        _write(stem + ".crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return stem + ".crt", stem + ".key"
