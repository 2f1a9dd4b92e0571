"""One fault run: one database, one engine. Prints its progress on stderr and its figures as JSON on stdout."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

WAVES = 3
SHARE_OF_LATER_WAVES = 0.5
WORKERS = 4


def main() -> int:
    arguments = read_arguments(sys.argv[1:])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="courseway-faults-")))
        restart = None
        if arguments.database == "postgres":
            from tests.faults.postgres_server import run_postgres

            folder.chmod(0o755)  # the server may run as somebody else
            server = stack.enter_context(run_postgres(folder))
            os.environ.update(COURSEWAY_TEST_DATABASE="postgres", COURSEWAY_TEST_DATABASE_URL=server.url)
            restart = server.restart
        else:
            os.environ.pop("COURSEWAY_TEST_DATABASE", None)
        tasks_url = ""
        if arguments.engine != "huey":
            from tests.courseway.brokers import run_broker

            tasks_url = stack.enter_context(run_broker(arguments.engine, folder / arguments.engine))
        figures = run(arguments, folder, tasks_url, restart, stack)
    print(json.dumps(figures))
    return 0 if figures["is_good"] else 1


def read_arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True, choices=("sqlite", "postgres"))
    parser.add_argument("--engine", required=True, choices=("huey", "rabbitmq", "redis"))
    parser.add_argument("--grades", type=int, default=10_000)
    parser.add_argument("--platforms", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600.0, help="after so long it ends, whatever is left")
    parser.add_argument("--seconds-between-kills", type=float, default=3.0)
    parser.add_argument("--slowness", type=float, default=2.5, help="more patience than usual, for a busy machine")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(given)


def run(arguments: argparse.Namespace, folder: Path, tasks_url: str, restart: Any, stack: ExitStack) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import override_settings

    from tests.courseway.grades.fake_lms import run_fake_lms
    from tests.courseway.grades.nursery import Nursery
    from tests.faults.judge import judge
    from tests.faults.school import School
    from tests.faults.troubles import Chaos, Faults
    from tests.migrated import lay_migrated_database

    migrate = partial(call_command, "migrate", verbosity=0, interactive=False)

    if arguments.database == "sqlite":
        lay_migrated_database(Path(settings.DATABASES["default"]["NAME"]), migrate)
    else:
        migrate()
    if tasks_url:
        backend = {"default": {"BACKEND": "courseway.celery_engine.CeleryBackend"}}
        stack.enter_context(override_settings(TASKS_URL=tasks_url, USES_CELERY=True, TASKS=backend))
    lms = stack.enter_context(run_fake_lms())
    lms.conflicts_within_a_second = True
    people = max(1, arguments.grades // arguments.platforms)
    school = School(lms, platforms=arguments.platforms, people=people, seed=arguments.seed)
    faults = lms.fault = Faults(school, seed=arguments.seed, share=0.2, slowness=arguments.slowness)
    clock_file = folder / "clock"
    nursery = Nursery(settings.DATABASE_URL, tasks_url=tasks_url, clock_file=clock_file, slowness=arguments.slowness)
    stack.callback(nursery.close)
    for _ in range(WORKERS):
        nursery.start_worker()
    chaos = Chaos(
        nursery,
        faults,
        school,
        restart=restart,
        clock_file=clock_file,
        seconds_between=arguments.seconds_between_kills,
    )
    begun = time.monotonic()
    chaos.start()
    _drive(arguments, school, faults, chaos, until=begun + arguments.seconds)
    seconds = time.monotonic() - begun
    stayed = nursery.stop_all(20)
    connection.close()  # the database may have been restarted since it was last looked at
    verdict = judge(school.wanted, school.read_taken(), school.read_shown(), refused=faults.refused)
    return {
        "database": arguments.database,
        "engine": arguments.engine,
        "grades": school.grades,
        "changes": school.changes,
        "kills": chaos.kills,
        "restarts": chaos.restarts,
        "jumps": chaos.jumps,
        "faults": dict(faults.counts),
        "seconds": round(seconds, 1),
        "delivered": verdict.delivered,
        "told": verdict.told,
        "lost": verdict.lost,
        "older_over_newer": verdict.older_over_newer,
        "unexplained": verdict.unexplained,
        "is_good": verdict.is_good and not stayed and chaos.error is None,
        "error": repr(chaos.error) if chaos.error else "",
    }


def _drive(arguments: argparse.Namespace, school: Any, faults: Any, chaos: Any, *, until: float) -> None:
    """Change the grades in waves while everything goes wrong; then let things calm down until nothing waits."""
    from django.utils import timezone

    from tests.faults.waiting import Progress, make_due

    progress = Progress(school, faults, chaos, name=f"{arguments.database} {arguments.engine}")
    seconds_of_wave = min(30.0, school.grades / 300)
    for wave in range(WAVES):
        for number in range(len(school.links)):
            school.change(number, share=1.0 if wave == 0 else SHARE_OF_LATER_WAVES, now=timezone.now())
            progress.show()
            time.sleep(seconds_of_wave / len(school.links))
    calm_at = time.monotonic() + (until - time.monotonic()) / 2
    while time.monotonic() < until:
        waiting = progress.show()
        if chaos.is_alive() and (waiting < school.grades * 0.05 or time.monotonic() > calm_at):
            chaos.end()
            faults.share = 0.03
        if not chaos.is_alive() and waiting == 0:
            break
        make_due()
        time.sleep(0.5)
    chaos.end()
    progress.end()


if __name__ == "__main__":
    sys.exit(main())
