"""The last messages that reached the services, for the admin page and for tests. No secret is written down."""

import sqlite3
from typing import Any

KEPT = 1000
LONGEST = 4000


def record_exchange(
    db: sqlite3.Connection,
    *,
    service: str,
    method: str,
    path: str,
    status: int,
    fault: str,
    request: str,
    answer: str,
    now: float,
) -> None:
    """Write down one request and its answer. A status of 0 means that nothing was answered."""
    cursor = db.execute(
        "INSERT INTO message (received_at, service, method, path, status, fault, request, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (now, service, method, path, status, fault, request[:LONGEST], answer[:LONGEST]),
    )
    db.execute("DELETE FROM message WHERE id <= ?", (int(cursor.lastrowid or 0) - KEPT,))


def list_exchanges(db: sqlite3.Connection, *, service: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """The newest first."""
    if service:
        rows = db.execute("SELECT * FROM message WHERE service = ? ORDER BY id DESC LIMIT ?", (service, limit))
    else:
        rows = db.execute("SELECT * FROM message ORDER BY id DESC LIMIT ?", (limit,))
    return [dict(row) for row in rows]
