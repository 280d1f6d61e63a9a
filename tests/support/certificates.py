"""An authority that nobody else trusts, and what it signs: made with the `openssl` program, good for some days."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Signed(NamedTuple):
    """A certificate and its key, PEM files; `both` holds the two, as Kafka wants them."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """A self-made authority in a folder. `ca` is its certificate."""

    def __init__(self, folder: Path, name: str = "touchline-test-ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
            "-keyout", self._key, "-out", self.ca, "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE",
        )  # fmt: skip

    def sign(self, name: str, addresses: str = "IP:127.0.0.1,DNS:localhost", password: str = "") -> Signed:
        """A certificate for CN=name and these subject alternative names; a password, if given, hides its key."""
        request, certificate, key = (self.folder / f"{name}.{end}" for end in ("csr", "pem", "key"))
        _openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}",
        )  # fmt: skip
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={addresses}\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "7",
            "-out", certificate, "-extfile", extensions,
        )  # fmt: skip
        plain = self.folder / f"{name}.p8"
        # Kafka reads PKCS 8 only
        _openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", plain)
        both = self.folder / f"{name}.both.pem"
        both.write_text(plain.read_text() + certificate.read_text())
        if password:
            _openssl(
                "pkcs8", "-topk8", "-v2", "aes256", "-passout", f"pass:{password}", "-in", plain, "-out", key
            )
        return Signed(certificate, key, both)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
