"""nginx with a certificate of its own in front of Courseway, configured by the example of docs/operations.md."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
# Another host than the one that Courseway itself listens on; all of 127.0.0.0/8 is this machine.
HOST = "127.0.0.2"
START_SECONDS = 20
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
{example}
    }}
}}
"""


def find_nginx() -> str | None:
    """The program, also where only root's PATH would find it."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `certificate` is what clients have to trust."""

    port: int
    certificate: Path
    folder: Path


@contextmanager
def run_proxy(folder: Path, *, port: int, upstream: str) -> Iterator[Proxy]:
    """TLS at HOST:port, passed on to `upstream` as the documentation says."""
    folder.mkdir(parents=True)
    make_certificate(folder)
    (folder / "nginx.conf").write_text(
        _CONFIGURATION.format(folder=folder, host=HOST, port=port, example=read_example(upstream))
    )
    program = find_nginx()
    assert program is not None
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while not _listens(port):
            said = (folder / "error.log").read_text() if (folder / "error.log").exists() else ""
            assert process.poll() is None, f"nginx ended with {process.returncode}: {said}"
            assert time.monotonic() < give_up_at, said
            time.sleep(0.05)
        yield Proxy(port, folder / "certificate.pem", folder)
    finally:
        process.terminate()
        process.wait(10)


def read_example(upstream: str) -> str:
    """The nginx example of the documentation, with the address of this installation."""
    found = re.search(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None, f"{DOCUMENT} has no example for nginx"
    example, count = re.subn(r"proxy_pass http://127\.0\.0\.1:8000;", f"proxy_pass {upstream};", found.group(1))
    assert count == 1, example
    return example


def make_certificate(folder: Path) -> None:
    """A key and a certificate for HOST, good for a day, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Courseway's tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(0o600)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
