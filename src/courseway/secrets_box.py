"""Secrets at rest: encrypted, bound to the row and column they belong to, never given back broken.

A ciphertext copied into another row or column does not open there. Keys are derived from COURSEWAY_SECRET_KEY:
the newest encrypts, all of them decrypt.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PREFIX = "v1."


class SecretUnreadableError(Exception):
    """The stored secret does not open with any configured key, or belongs to another place."""


def lock(secret: str, *, place: str) -> str:
    """Encrypts `secret` for `place`, a stable name of row and column such as `consumer_key:<public id>`."""
    nonce = os.urandom(12)
    sealed = AESGCM(_key(settings.SECRET_KEYS[0])).encrypt(nonce, secret.encode(), place.encode())
    return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def unlock(locked: str, *, place: str) -> str:
    """The secret. Raises SecretUnreadableError rather than ever returning something else."""
    try:
        data = base64.urlsafe_b64decode(locked.removeprefix(PREFIX)) if locked.startswith(PREFIX) else b""
    except ValueError:
        data = b""
    for key in settings.SECRET_KEYS if len(data) > 12 else []:
        try:
            return AESGCM(_key(key)).decrypt(data[:12], data[12:], place.encode()).decode()
        except InvalidTag:
            continue
    raise SecretUnreadableError(
        f"The secret of {place} cannot be read. Was COURSEWAY_SECRET_KEY changed without keeping the old key?"
    )


_derived: dict[str, bytes] = {}


def _key(secret_key: str) -> bytes:
    if secret_key not in _derived:
        derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"courseway secrets at rest")
        _derived[secret_key] = derivation.derive(secret_key.encode())
    return _derived[secret_key]
