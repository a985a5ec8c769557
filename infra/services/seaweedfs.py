"""SeaweedFS's S3 store: one process, one folder.

Its parts talk to each other through ports of their own, which know nothing of S3's users and keys. There they speak TLS
with whoever has the certificate that is made anew for each start: the process itself, and who can read its folder.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from infra.services.ports import HOST
from pipelines.project import whole_file

IDENTITIES = "identities.json"
CERTIFICATE = "certificate.pem"
CERTIFICATE_DAYS = 3650
INTERNAL = (
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
"""Their ports follow one another from S3_INTERNAL_PORTS on."""
VOLUME_MEGABYTES = 1024
VOLUMES = 100_000
"""More than there will be: a bucket takes seven empty ones with its first object. By default there may be as many as
the disk has room for full ones, so that on a nearly full disk the third bucket could take nothing.
"""


def internal_ports(settings: Mapping[str, str]) -> list[int]:
    first = int(settings["S3_INTERNAL_PORTS"])
    return list(range(first, first + len(INTERNAL)))


def command(folder: Path, settings: Mapping[str, str]) -> list[str]:
    ports = zip(INTERNAL, internal_ports(settings), strict=True)
    return [
        str(Path(sys.executable).parent / "weed"), "-logtostderr=true", "server",
        f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-s3", f"-s3.port={settings['S3_PORT']}",
        f"-s3.config={folder / IDENTITIES}",
        "-s3.iam.readOnly=false",  # or training's and the reader's keys could not be made
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        f"-master.volumeSizeLimitMB={VOLUME_MEGABYTES}", f"-volume.max={VOLUMES}",
        *(f"-{option}={port}" for option, port in ports),
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """What makes the ports of the store's parts ask for its certificate."""
    file = str(folder / CERTIFICATE)
    servers = {
        f"WEED_{kind}_{part}_{what}": file
        for kind, parts in (("GRPC", ("MASTER", "VOLUME", "FILER", "S3")), ("HTTPS", ("MASTER", "VOLUME", "FILER")))
        for part in parts
        for what in ("CERT", "KEY", "CA")
    }
    clients = {f"WEED_{kind}_CLIENT_{what}": file for kind in ("GRPC", "HTTPS") for what in ("CERT", "KEY", "CA")}
    return {**servers, **clients, "WEED_GRPC_CA": file, "WEED_HTTPS_CLIENT_ENABLED": "true"}


def make_folder(folder: Path, settings: Mapping[str, str]) -> None:
    """The store's folder, and in it who its administrator is and the certificate of its parts."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # one from before was for all to read
    with whole_file(folder / CERTIFICATE) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(certificate())
    credentials = {
        "accessKey": settings["S3_ADMIN_ACCESS_KEY_ID"],
        "secretKey": settings["S3_ADMIN_SECRET_ACCESS_KEY"],
    }
    admin = {
        "name": "admin",
        "credentials": [credentials],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    with whole_file(folder / IDENTITIES) as partial:
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({"identities": [admin]}, indent=2), encoding="utf-8")


def certificate() -> bytes:
    """A certificate that signs itself, and its key, in one PEM file: for servers and clients alike."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seaweedfs")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM) + secret
