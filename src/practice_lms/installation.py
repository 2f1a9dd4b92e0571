"""This installation of the practice LMS: its address, the fixed addresses below it, its secret and its signing keys."""

import secrets
import sqlite3
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from joserfc.jwk import RSAKey

from practice_lms.database import read_setting, write_setting
from practice_lms.refusals import RefusedError

DEFAULT_URL = "http://localhost:8001"


@dataclass(frozen=True)
class Addresses:
    """Where a tool finds this LMS. The issuer is the public address itself."""

    issuer: str
    auth_url: str
    token_url: str
    keyset_url: str
    outcomes_url: str
    openid_configuration_url: str


def list_addresses(public_url: str) -> Addresses:
    """The fixed addresses below a public address."""
    base = public_url.rstrip("/")
    return Addresses(
        issuer=base,
        auth_url=f"{base}/lti/auth",
        token_url=f"{base}/lti/token",
        keyset_url=f"{base}/lti/keys",
        outcomes_url=f"{base}/lti/outcomes",
        openid_configuration_url=f"{base}/.well-known/openid-configuration",
    )


def prepare_installation(db: sqlite3.Connection, public_url: str = "") -> None:
    """Remember the public address and make, once, what every installation has of its own."""
    if public_url:
        parts = urlsplit(public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise RefusedError(f"The public URL {public_url!r} must be like http://localhost:8001, with no path.")
    if public_url or read_setting(db, "public_url") is None:
        write_setting(db, "public_url", (public_url or DEFAULT_URL).rstrip("/"))
    for name, value in (
        ("secret", secrets.token_urlsafe(32)),
        ("guid", f"practice-{secrets.token_hex(8)}"),
        ("client_id", secrets.token_hex(8)),
        ("deployment_id", "1"),
    ):
        if read_setting(db, name) is None:
            write_setting(db, name, value)
    if db.execute("SELECT 1 FROM signing_key WHERE is_current").fetchone() is None:
        rotate_key(db)


def describe_installation(db: sqlite3.Connection) -> dict[str, str]:
    """What the tool's side needs to register this LMS."""
    addresses = asdict(list_addresses(need_setting(db, "public_url")))
    return {**addresses, "client_id": need_setting(db, "client_id"), "deployment_id": need_setting(db, "deployment_id")}


def need_setting(db: sqlite3.Connection, name: str) -> str:
    """A setting that `prepare_installation` made."""
    value = read_setting(db, name)
    if value is None:
        raise RuntimeError(f"The installation has no {name}; call prepare_installation first.")
    return value


def rotate_key(db: sqlite3.Connection) -> str:
    """Make a new key that signs from now on; older keys stay published."""
    kid = secrets.token_hex(8)
    key = RSAKey.generate_key(2048, parameters={"kid": kid}, private=True)
    db.execute("UPDATE signing_key SET is_current = 0")
    db.execute(
        "INSERT INTO signing_key VALUES (?, ?, 1, ?)", (kid, key.as_pem(private=True).decode("ascii"), time.time())
    )
    return kid


def retire_keys(db: sqlite3.Connection) -> int:
    """Stop publishing every key but the current one."""
    return db.execute("DELETE FROM signing_key WHERE NOT is_current").rowcount


def read_signing_key(db: sqlite3.Connection) -> RSAKey:
    """The key that signs now."""
    row = db.execute("SELECT kid, private_pem FROM signing_key WHERE is_current").fetchone()
    return _load_key(row["kid"], row["private_pem"])


def build_keyset(db: sqlite3.Connection) -> dict[str, list[dict[str, object]]]:
    """The public halves of all published keys, newest first."""
    keys = []
    for row in db.execute("SELECT kid, private_pem FROM signing_key ORDER BY is_current DESC, created_at DESC"):
        public = _load_key(row["kid"], row["private_pem"]).as_dict(private=False)
        keys.append({**public, "kid": row["kid"], "use": "sig", "alg": "RS256"})
    return {"keys": keys}


@lru_cache(maxsize=16)
def _load_key(kid: str, private_pem: str) -> RSAKey:
    """Loading checks the whole key, which takes longer than signing with it."""
    return RSAKey.import_key(private_pem, {"kid": kid})
