"""From the name of a command to the function that does it. Called once Django is set up; loads only what it needs."""

from __future__ import annotations

from argparse import Namespace

from courseway.cli.answers import Answer


def run_command(wish: Namespace) -> Answer | int:
    """An answer to print, or the exit status of a process that ran until it was stopped."""
    match wish.command.split():
        case ["serve" | "worker" | "migrate" | "prune" | "check"]:
            return _run_process_command(wish)
        case ["org" | "key" | "platform" | "account" | "launches", *_]:
            return _run_organization_command(wish)
        case ["registration-link" | "keys", _]:
            return _run_lti_command(wish)
        case ["course", _]:
            return _run_course_command(wish)
        case ["grade" | "deliveries" | "drain", *_]:
            return _run_grade_command(wish)
    raise AssertionError(f"The command {wish.command!r} is offered but not made.")


def _run_process_command(wish: Namespace) -> Answer | int:
    from courseway.cli import processes

    match wish.command:
        case "serve":
            return processes.serve(wish)
        case "worker":
            return processes.work()
        case "migrate":
            return processes.migrate()
        case "prune":
            return processes.prune()
        case _:
            return processes.check()


def _run_organization_command(wish: Namespace) -> Answer:
    from courseway.cli import organizations

    match wish.command:
        case "org create":
            return organizations.create(wish)
        case "key create":
            return organizations.create_key(wish)
        case "platform add":
            return organizations.add_platform(wish)
        case "account reset":
            return organizations.reset_account(wish)
        case _:
            return organizations.list_launches(wish)


def _run_lti_command(wish: Namespace) -> Answer:
    from courseway.cli import lti

    match wish.command:
        case "registration-link create":
            return lti.create_registration_link(wish)
        case "keys rotate":
            return lti.rotate_keys(wish)
        case "keys retire":
            return lti.retire_key(wish)
        case _:
            return lti.list_keys(wish)


def _run_course_command(wish: Namespace) -> Answer | int:
    from courseway.cli import courses

    match wish.command:
        case "course import":
            return courses.import_one(wish)
        case "course set":
            return courses.change_settings(wish)
        case "course copy":
            return courses.copy(wish)
        case "course show":
            return courses.show(wish)
        case _:
            return courses.export(wish)


def _run_grade_command(wish: Namespace) -> Answer:
    from courseway.cli import grades

    match wish.command:
        case "grade set":
            return grades.set_one(wish)
        case "grade try":
            return grades.send_test_score(wish)
        case "deliveries":
            return grades.list_owed(wish)
        case _:
            return grades.drain(wish)
