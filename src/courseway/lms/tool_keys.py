"""Our own key pairs. All that are published stand in the keyset that platforms read; one of them signs.

A new key is published first and signs only when every platform can have read it; the one before stays published for a
while after that, for what it signed and for platforms that read late (Security Framework 1.0 §6.3).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from courseway import secrets_box
from courseway.lms.models import ToolKey
from ltikit.v13.keys import PrivateKey, build_keyset, generate_private_key, public_pem

KEYSET_SECONDS: Final = 3600
"""How long platforms may keep our keyset, by its Cache-Control."""
ANNOUNCED: Final = timedelta(hours=24)
"""How long a new key is published before it signs: some platforms keep a keyset longer than they are told."""
GRACE: Final = timedelta(days=7)
"""How long a key is published after the next one began to sign."""

# Any number will do, as long as nothing else of ours locks the same one.
_CHANGING_KEYS = 7_105_121


class KeyChangeError(Exception):
    """Keys cannot be changed in this way now; the text says why, for an operator."""


class State(enum.StrEnum):
    NEXT = "next"  # published, does not sign yet
    SIGNS = "signs"
    PUBLISHED = "published"  # signed before the present one
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key of ours at a moment. `until` is when a key that no longer signs will be retired, or was."""

    row: ToolKey
    state: State
    signs_from: datetime
    until: datetime | None = None

    @property
    def is_published(self) -> bool:
        return self.state is not State.RETIRED


def signing_key(now: datetime | None = None) -> PrivateKey:
    """The key that signs now; made on first need."""
    states = list_keys(now or timezone.now())
    row = next((key.row for key in states if key.state is State.SIGNS), None) or _make_first()
    return _open(row.kid, row.private_pem_encrypted)


def published_keyset(now: datetime | None = None) -> bytes:
    """The document at our keyset URL, newest key first."""
    now = now or timezone.now()
    signing_key(now)
    rows = [key.row for key in list_keys(now) if key.is_published]
    return build_keyset(_open(row.kid, row.private_pem_encrypted).public_key() for row in rows)


def public_key_pem() -> str:
    """The public half of the signing key, for platforms that take a pasted key instead of a keyset URL."""
    return public_pem(signing_key().public_key())


def list_keys(now: datetime) -> list[KeyState]:
    """All keys, newest first, with what each is for at this moment."""
    rows = list(ToolKey.objects.order_by("-pk"))
    living = [row for row in rows if row.retired_at is None]
    begun = [row for row in living if _begins(row) <= now]
    # A key that is to sign later signs at once where there is no other.
    signing = begun[0] if begun else living[-1] if living else None
    return [_judge(row, signing, begun, now) for row in rows]


def _judge(row: ToolKey, signing: ToolKey | None, begun: Sequence[ToolKey], now: datetime) -> KeyState:
    if row.retired_at is not None:
        return KeyState(row, State.RETIRED, _begins(row), row.retired_at)
    if row == signing:
        return KeyState(row, State.SIGNS, _begins(row))
    if row not in begun:
        return KeyState(row, State.NEXT, _begins(row))
    successor = min((one for one in begun if one.pk > row.pk), key=lambda one: one.pk)
    until = _begins(successor) + GRACE
    return KeyState(row, State.RETIRED if until <= now else State.PUBLISHED, _begins(row), until)


def rotate(*, now: datetime, at_once: bool = False) -> KeyState:
    """Publishes a new key, which signs once every platform can have read it - or at once, where the old one leaked.

    Raises KeyChangeError while an earlier new key waits for its time; `at_once` then lets that one sign.
    """
    with transaction.atomic():
        _take_turns()
        waiting = next((key for key in list_keys(now) if key.state is State.NEXT), None)
        if waiting is not None and not at_once:
            raise KeyChangeError(
                f"The key {waiting.row.kid} is published already and signs from "
                f"{waiting.signs_from.isoformat(timespec='minutes')}."
            )
        if waiting is not None:
            ToolKey.objects.filter(pk=waiting.row.pk).update(signs_from=now)
            made = waiting.row.pk
        else:
            first_needed = not ToolKey.objects.filter(retired_at=None).exists()
            made = add_key(signs_from=now if at_once or first_needed else now + ANNOUNCED, now=now).pk
        return next(key for key in list_keys(now) if key.row.pk == made)


def retire(kid: str, *, now: datetime) -> KeyState:
    """Takes a key out of the keyset at once: whatever it signed is refused as soon as platforms read the keyset anew.

    Raises KeyChangeError for a key that is not there, is retired, or signs now.
    """
    with transaction.atomic():
        _take_turns()
        found = next((key for key in list_keys(now) if key.row.kid == kid), None)
        if found is None or found.state is State.RETIRED:
            raise KeyChangeError(f"No published key is called {kid!r}.")
        if found.state is State.SIGNS:
            raise KeyChangeError("This key signs now. Let another one sign first: courseway keys rotate --at-once.")
        ToolKey.objects.filter(pk=found.row.pk).update(retired_at=now)
        return next(key for key in list_keys(now) if key.row.kid == kid)


def add_key(*, now: datetime | None = None, signs_from: datetime | None = None) -> ToolKey:
    """A new key pair, published from now on; it signs from now on too unless another time is given."""
    key = _make_pair()
    now = now or timezone.now()
    return ToolKey.objects.create(
        kid=key.kid,
        private_pem_encrypted=secrets_box.lock(key.to_pem(), place=_place_of(key.kid)),
        created_at=now,
        signs_from=signs_from or now,
    )


def _make_pair() -> PrivateKey:
    """One whose id does not begin with "-", as one in 64 does: a command would take that for an option."""
    while True:
        key = generate_private_key()
        if not key.kid.startswith("-"):
            return key


def _begins(row: ToolKey) -> datetime:
    return row.signs_from or row.created_at


def _make_first() -> ToolKey:
    """Two processes may come here at once: one makes the key, the other waits and takes it."""
    with transaction.atomic():
        _take_turns()
        return ToolKey.objects.filter(retired_at=None).order_by("-pk").first() or add_key()


def _take_turns() -> None:
    """On SQLite a transaction that may write is alone from its start (IMMEDIATE); PostgreSQL needs to be told."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHANGING_KEYS])


@lru_cache(maxsize=8)
def _open(kid: str, encrypted: str) -> PrivateKey:
    return PrivateKey.from_pem(secrets_box.unlock(encrypted, place=_place_of(kid)))


def _place_of(kid: str) -> str:
    return f"tool_key:{kid}"
