"""Keys: the platform's keyset as read from its keyset URL, and the tool's own key pairs (Security Framework 1.0 §6)."""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from ltikit.answers import load_json
from ltikit.errors import ServiceUnavailableError

MAX_KEYSET: Final = 256 * 1024
"""Bytes of a keyset document."""
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""Verifying with a larger key would cost more time than a launch is worth."""
TOOL_ALGORITHM: Final = "RS256"
"""The one algorithm that every platform must support (Security Framework 1.0 §5.1.3)."""

_PUBLIC_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One public key. `algorithm` is "" when its owner did not say, which is common (Brightspace).

    `members` is the JWK: `kty`, `kid` and the public numbers, nothing else.
    """

    kid: str
    algorithm: str
    members: Mapping[str, str]
    jose: RSAKey | ECKey = field(repr=False, compare=False)
    """The same key in the form that `ltikit.v13.jwt` verifies with."""

    @property
    def key_type(self) -> str:
        """ "RSA" or "EC"."""
        return self.members["kty"]

    def to_jwk(self) -> dict[str, str]:
        """The key as a member of a keyset: public numbers, `kid`, `use`, and `alg` if it is known."""
        return {**self.members, "use": "sig", **({"alg": self.algorithm} if self.algorithm else {})}


@dataclass(frozen=True, slots=True)
class Keyset:
    """The usable keys of a platform. `refused` says of each other key (by `kid` or position) why it is not used."""

    keys: tuple[PublicKey, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    by_kid: Mapping[str, PublicKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Of several keys with one id the first counts.
        object.__setattr__(self, "by_kid", {key.kid: key for key in reversed(self.keys)})

    def find(self, kid: str) -> PublicKey | None:
        """The key of that exact id, None if there is none: then the keyset may be out of date."""
        return self.by_kid.get(kid)

    def to_json(self) -> str:
        """For a cache; `from_json` reads it back. It is a valid keyset document too."""
        document = {"keys": [key.to_jwk() for key in self.keys], "refused": dict(self.refused)}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Keyset:
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise ValueError("not a keyset written by Keyset.to_json")
        return cls(tuple(_read_key(member) for member in document["keys"]), dict(document.get("refused") or {}))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key pair of the tool. `kid` is the RFC 7638 thumbprint, so the same key has the same id everywhere."""

    kid: str
    jose: RSAKey = field(repr=False, compare=False)
    """The key pair itself, for `ltikit.v13.jwt` alone."""

    def to_pem(self) -> str:
        """PKCS #8, unencrypted: keep it sealed."""
        return self.jose.as_pem(private=True).decode()

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PrivateKey:
        """Read an RSA private key. Raises ValueError, without its text, for anything else and under 2048 bits.

        Its numbers are checked, which takes some 50 ms: keep the object.
        """
        try:
            raw = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("not an RSA private key in PEM") from None
        if not isinstance(raw, RSAPrivateKey):
            raise ValueError("not an RSA key, but another kind")
        if raw.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key needs at least {MIN_RSA_BITS} bits")
        key = RSAKey.import_key(raw)
        return cls(kid=key.thumbprint(), jose=key)

    def public_key(self) -> PublicKey:
        """The half that may be published."""
        numbers = self.jose.as_dict(private=False)
        return _read_key({"kty": "RSA", "kid": self.kid, "alg": TOOL_ALGORITHM, "n": numbers["n"], "e": numbers["e"]})


def generate_private_key() -> PrivateKey:
    """A new RSA key pair of 2048 bits, from the operating system's randomness. Takes some 50 ms."""
    key = RSAKey.generate_key(MIN_RSA_BITS, private=True, auto_kid=False)
    return PrivateKey(kid=key.thumbprint(), jose=key)


def build_keyset(keys: Iterable[PublicKey]) -> bytes:
    """The document to publish at the tool's keyset URL, as `application/json`."""
    return json.dumps({"keys": [key.to_jwk() for key in keys]}, separators=(",", ":")).encode()


def public_pem(key: PublicKey) -> str:
    """A public key as PEM, for platforms that take a pasted key instead of a keyset URL (Moodle)."""
    return key.jose.as_pem(private=False).decode()


def parse_keyset(body: bytes) -> Keyset:
    """Read a platform's keyset document (RFC 7517 §5).

    Keys that cannot verify a launch are left out and named in `refused`: without `kid`, of an unknown type or curve,
    for encryption, symmetric, RSA under 2048 or over 8192 bits, unreadable. Private members are dropped.
    Of two keys with one `kid` the first counts. A document without any usable key is an empty keyset, not an error.
    Raises `ServiceUnavailableError` when the body is no keyset at all or larger than 256 KiB.
    """
    if len(body) > MAX_KEYSET:
        raise ServiceUnavailableError(f"the keyset is larger than {MAX_KEYSET // 1024} KiB")
    try:
        document = load_json(body)
    except (ValueError, RecursionError):
        raise ServiceUnavailableError("the keyset is not JSON") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ServiceUnavailableError('the keyset has no list "keys"')
    if len(members) > MAX_KEYS:
        raise ServiceUnavailableError(f"the keyset has more than {MAX_KEYS} keys")
    keys: dict[str, PublicKey] = {}
    refused: dict[str, str] = {}
    for position, member in enumerate(members, start=1):
        kid = member.get("kid") if isinstance(member, dict) else None
        name = kid[:255] if isinstance(kid, str) and kid else f"key {position}"
        try:
            key = _read_key(member)
        except ValueError as error:
            refused.setdefault(name, str(error))
        else:
            keys.setdefault(key.kid, key)
    return Keyset(tuple(keys.values()), refused)


def _read_key(member: Any) -> PublicKey:
    """One member of a keyset. Raises ValueError with the reason why it cannot be used."""
    if not isinstance(member, dict):
        raise ValueError("not an object")
    kid, key_type, algorithm = member.get("kid"), member.get("kty"), member.get("alg")
    if not isinstance(kid, str) or not kid or len(kid) > 255 or not kid.isprintable():
        raise ValueError("no usable kid")
    if not isinstance(key_type, str) or key_type not in _PUBLIC_MEMBERS:
        raise ValueError("key type not supported")
    if member.get("use") not in (None, "sig"):
        raise ValueError("not for signatures")
    operations = member.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise ValueError("not for verifying")
    public = {name: member.get(name) for name in _PUBLIC_MEMBERS[key_type]}
    if not all(isinstance(value, str) and value for value in public.values()):
        raise ValueError("incomplete")
    members: dict[str, str] = {"kty": key_type, "kid": kid, **{name: str(value) for name, value in public.items()}}
    if key_type == "RSA":
        _check_rsa_size(members)
    elif members["crv"] != "P-256":
        raise ValueError("curve not supported")
    jose: RSAKey | ECKey
    try:
        jose = RSAKey.import_key(dict(members)) if key_type == "RSA" else ECKey.import_key(dict(members))
    except (JoseError, ValueError, OverflowError, TypeError, struct.error):
        raise ValueError("unreadable") from None
    return PublicKey(kid, algorithm if isinstance(algorithm, str) else "", members, jose)


def _check_rsa_size(members: Mapping[str, str]) -> None:
    numbers = {}
    for name in ("n", "e"):
        text = members[name]
        if not text.isascii() or len(text) > 2 * MAX_RSA_BITS // 6:
            raise ValueError(f"{name} is too long or not base64url")
        try:
            numbers[name] = int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
        except ValueError:
            raise ValueError(f"{name} is not base64url") from None
    bits = numbers["n"].bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise ValueError(f"RSA with {bits} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")
    if not 2 < numbers["e"] < 2**32:
        raise ValueError("unusual public exponent")
