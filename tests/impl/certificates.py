"""An authority for a test, and certificates that it signs."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from delphic.impl.runtime import Tls

_DAY = datetime.timedelta(days=1)


class Authority:
    """Writes PEM files into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        certificate = self._signed(name, self._key.public_key(), [], is_authority=True)
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *names: str) -> Tls:
        """A certificate for `name`, which also answers to loopback and to `names`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key(), [name, *names], is_authority=False)
        place, key_place = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        place.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_place.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Tls(str(self.path), str(place), str(key_place))

    def _signed(
        self, name: str, key: ec.EllipticCurvePublicKey, names: list[str], *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if names:
            loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            alternatives = [*(x509.DNSName(each) for each in names), loopback]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        return builder.sign(self._key, hashes.SHA256())
