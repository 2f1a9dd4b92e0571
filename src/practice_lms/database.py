"""The one SQLite file of the practice LMS: its tables, and transactions on it.

Every operation is one `transaction()`. Inside a process a lock puts them in a row, which is also what makes the order
of arrival of scores a fact and not a guess; between processes (`serve` and `seed`) SQLite's own lock does.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_NAME = "practice-lms.sqlite3"
DEFAULT_FOLDER = "practice-lms-data"

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS signing_key (
    kid TEXT PRIMARY KEY, private_pem TEXT NOT NULL, is_current INTEGER NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS person (
    id TEXT PRIMARY KEY, given_name TEXT NOT NULL, family_name TEXT NOT NULL, email TEXT NOT NULL,
    username TEXT NOT NULL, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS course (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, label TEXT NOT NULL, sourcedid TEXT NOT NULL,
    section_sourcedid TEXT NOT NULL, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS membership (
    course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    role TEXT NOT NULL, mentor_for TEXT NOT NULL DEFAULT '[]', is_active INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (course_id, person_id));
CREATE TABLE IF NOT EXISTS tool (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, version TEXT NOT NULL, launch_url TEXT NOT NULL,
    consumer_key TEXT NOT NULL DEFAULT '', secret TEXT NOT NULL DEFAULT '', signature_method TEXT NOT NULL DEFAULT '',
    client_id TEXT NOT NULL DEFAULT '', deployment_id TEXT NOT NULL DEFAULT '', login_url TEXT NOT NULL DEFAULT '',
    redirect_urls TEXT NOT NULL DEFAULT '[]', keyset_url TEXT NOT NULL DEFAULT '', scopes TEXT NOT NULL DEFAULT '[]',
    options TEXT NOT NULL DEFAULT '{}', origin TEXT NOT NULL DEFAULT '');
DROP INDEX IF EXISTS one_tool_per_key;
DROP INDEX IF EXISTS one_tool_per_client;
CREATE TABLE IF NOT EXISTS link (
    id TEXT PRIMARY KEY, course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE,
    tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE, title TEXT NOT NULL, description TEXT NOT NULL,
    url TEXT NOT NULL, custom TEXT NOT NULL DEFAULT '{}', origin TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS line_item (
    id TEXT PRIMARY KEY, course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE,
    tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE,
    link_id TEXT REFERENCES link (id) ON DELETE CASCADE, label TEXT NOT NULL, score_maximum TEXT NOT NULL,
    resource_id TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL DEFAULT '', start_at TEXT NOT NULL DEFAULT '',
    end_at TEXT NOT NULL DEFAULT '', extra TEXT NOT NULL DEFAULT '{}', position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS grade (
    line_item_id TEXT NOT NULL REFERENCES line_item (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    score TEXT, score_given TEXT, score_maximum TEXT, comment TEXT NOT NULL DEFAULT '',
    activity_progress TEXT NOT NULL DEFAULT '', grading_progress TEXT NOT NULL DEFAULT '',
    submission TEXT NOT NULL DEFAULT '{}', scoring_user_id TEXT NOT NULL DEFAULT '',
    tool_timestamp TEXT NOT NULL DEFAULT '', tool_time INTEGER, arrival INTEGER NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (line_item_id, person_id));
CREATE TABLE IF NOT EXISTS score_message (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, service TEXT NOT NULL,
    operation TEXT NOT NULL, tool_id TEXT NOT NULL, course_id TEXT NOT NULL, link_id TEXT, line_item_id TEXT,
    person_id TEXT, score_given TEXT, score_maximum TEXT, score TEXT, activity_progress TEXT NOT NULL DEFAULT '',
    grading_progress TEXT NOT NULL DEFAULT '', comment TEXT NOT NULL DEFAULT '', timestamp TEXT NOT NULL DEFAULT '',
    is_stored INTEGER NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS score_message_by_cell ON score_message (line_item_id, person_id, arrival);
CREATE TABLE IF NOT EXISTS oauth_nonce (
    consumer_key TEXT NOT NULL, nonce TEXT NOT NULL, timestamp INTEGER NOT NULL, PRIMARY KEY (consumer_key, nonce));
CREATE TABLE IF NOT EXISTS assertion (
    client_id TEXT NOT NULL, jti TEXT NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (client_id, jti));
CREATE TABLE IF NOT EXISTS access_token (
    token TEXT PRIMARY KEY, tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE, scopes TEXT NOT NULL,
    issued_at REAL NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, person_id TEXT NOT NULL, open_in TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS launch_ticket (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, person_id TEXT NOT NULL, link_id TEXT NOT NULL,
    document_target TEXT NOT NULL, overrides TEXT NOT NULL DEFAULT '{}', created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY AUTOINCREMENT, services TEXT NOT NULL, kind TEXT NOT NULL, stage TEXT NOT NULL,
    status INTEGER NOT NULL, retry_after TEXT, seconds REAL NOT NULL, then_drop INTEGER NOT NULL,
    probability REAL NOT NULL, remaining INTEGER, until REAL, hits INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, service TEXT NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, status INTEGER NOT NULL, fault TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS module (
    id TEXT PRIMARY KEY, course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE, title TEXT NOT NULL,
    position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS page (
    id TEXT PRIMARY KEY, course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE, title TEXT NOT NULL,
    text TEXT NOT NULL, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS selection (
    id TEXT PRIMARY KEY, tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE,
    course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE, person_id TEXT NOT NULL, method TEXT NOT NULL,
    wish TEXT NOT NULL, data TEXT NOT NULL, created_at REAL NOT NULL, answered_at REAL,
    outcome TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS answer_nonce (
    tool_id TEXT NOT NULL, nonce TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (tool_id, nonce));
CREATE TABLE IF NOT EXISTS course_group (
    id TEXT PRIMARY KEY, course_id TEXT NOT NULL REFERENCES course (id) ON DELETE CASCADE, name TEXT NOT NULL,
    set_name TEXT NOT NULL DEFAULT '', is_hidden INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS group_member (
    group_id TEXT NOT NULL REFERENCES course_group (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE, PRIMARY KEY (group_id, person_id));
CREATE TABLE IF NOT EXISTS membership_change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, course_id TEXT NOT NULL, person_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ban (
    kind TEXT NOT NULL, target_id TEXT NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (kind, target_id));
CREATE TABLE IF NOT EXISTS violation (
    id INTEGER PRIMARY KEY AUTOINCREMENT, happened_at REAL NOT NULL, service TEXT NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, course_id TEXT NOT NULL, link_id TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notice_handler (
    tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE, kind TEXT NOT NULL, url TEXT NOT NULL,
    PRIMARY KEY (tool_id, kind));
CREATE TABLE IF NOT EXISTS notice (
    id TEXT PRIMARY KEY, tool_id TEXT NOT NULL REFERENCES tool (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    url TEXT NOT NULL, jwt TEXT NOT NULL, status INTEGER);
CREATE TABLE IF NOT EXISTS offer (
    id TEXT PRIMARY KEY, token TEXT NOT NULL, tool_url TEXT NOT NULL, profile TEXT NOT NULL, is_old INTEGER NOT NULL,
    created_at REAL NOT NULL, tool_id TEXT NOT NULL DEFAULT '', received TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sent_at REAL NOT NULL, person_id TEXT NOT NULL, course_id TEXT NOT NULL,
    line_item_id TEXT NOT NULL, subject TEXT NOT NULL);
"""

ADDED_COLUMNS = (
    ("course", "profile", "TEXT NOT NULL DEFAULT ''"),
    ("course", "state", "TEXT NOT NULL DEFAULT 'published'"),
    ("course", "history", "TEXT NOT NULL DEFAULT '[]'"),
    ("person", "is_test", "INTEGER NOT NULL DEFAULT 0"),
    ("person", "is_admin", "INTEGER NOT NULL DEFAULT 0"),
    ("tool", "custom", "TEXT NOT NULL DEFAULT '{}'"),
    ("tool", "profile", "TEXT NOT NULL DEFAULT ''"),
    ("tool", "course_id", "TEXT NOT NULL DEFAULT ''"),
    ("tool", "placements", "TEXT NOT NULL DEFAULT '{}'"),
    ("tool", "state", "TEXT NOT NULL DEFAULT 'active'"),
    ("link", "history", "TEXT NOT NULL DEFAULT '[]'"),
    ("link", "module_id", "TEXT REFERENCES module (id) ON DELETE SET NULL"),
    ("link", "page_id", "TEXT REFERENCES page (id) ON DELETE CASCADE"),
    ("link", "state", "TEXT NOT NULL DEFAULT 'published'"),
    ("link", "allowed_attempts", "INTEGER"),
    ("link", "hints", "TEXT NOT NULL DEFAULT '{}'"),
    ("link", "due_at", "TEXT NOT NULL DEFAULT ''"),
    ("membership", "sections", "TEXT NOT NULL DEFAULT '[]'"),
    ("grade", "attempts", "INTEGER NOT NULL DEFAULT 0"),
    ("grade", "submission_url", "TEXT NOT NULL DEFAULT ''"),
    ("launch_ticket", "destination", "TEXT NOT NULL DEFAULT '{}'"),
)
"""What tables gained after their first day; added to a file of an earlier day when it is opened."""


class Database:
    """One connection to one file, used by one operation at a time."""

    def __init__(self, folder: Path) -> None:
        """Open the file in `folder`, making both when they are missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            folder / FILE_NAME, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._connection.row_factory = sqlite3.Row
        # A practice gradebook outlives a killed process, not a power cut: no need to wait for the disk each time.
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        _add_columns(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens at once or not at all. Never wait for the network inside."""
        with self._lock:
            if self._connection.in_transaction:
                raise RuntimeError("A transaction is open already: pass its connection down instead.")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()


def _add_columns(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, name, definition in ADDED_COLUMNS:
        if name not in {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")
    connection.execute("COMMIT")


_open_databases: dict[Path, Database] = {}
_opening = threading.Lock()


def open_database(folder: Path) -> Database:
    """The database of a data folder; the same object for the same folder within a process."""
    key = folder.resolve()
    with _opening:
        if key not in _open_databases:
            _open_databases[key] = Database(key)
        return _open_databases[key]


def database() -> Database:
    """The database of this process, in the folder that the environment names."""
    return open_database(Path(os.environ.get("PRACTICE_LMS_DATA_DIR", DEFAULT_FOLDER)))


def remove_database(folder: Path) -> None:
    """Delete the files of a data folder that are ours, and no other."""
    for suffix in ("", "-wal", "-shm"):
        (folder / (FILE_NAME + suffix)).unlink(missing_ok=True)


def read_setting(db: sqlite3.Connection, name: str) -> str | None:
    """A remembered value of this installation."""
    row = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row["value"])


def write_setting(db: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a value of this installation."""
    db.execute(
        "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def take_number(db: sqlite3.Connection) -> int:
    """The next number of this installation: small numbers for all kinds of rows, as an LMS has them."""
    number = int(read_setting(db, "next_number") or "2")
    write_setting(db, "next_number", str(number + 1))
    return number
