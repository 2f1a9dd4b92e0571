"""What can be asked for on the command line, and how. Imports nothing heavy: `--help` is quick."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path

DESCRIPTION = "Courseway takes courses into any LMS, and every grade back into its gradebook."
GROUPS = {
    "org": "organizations",
    "key": "LTI 1.1 keys",
    "platform": "LTI 1.3 platforms",
    "keys": "the keys with which Courseway signs",
    "registration-link": "links by which an LMS registers Courseway",
    "account": "accounts",
    "course": "courses",
    "grade": "grades",
}
EPILOG = "Django's own commands: courseway manage --help. Settings: docs/configuration.md."


def build_parser() -> argparse.ArgumentParser:
    tree = _CommandTree()
    _add_process_commands(tree)
    _add_organization_commands(tree)
    _add_course_commands(tree)
    _add_grade_commands(tree)
    tree.add("manage", "run one of Django's own commands")
    return tree.parser


class _CommandTree:
    """Commands of one word, and groups of commands such as `course import`; `command` in the result is all words."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="courseway", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False
        )
        self.parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and end")
        self._words = self.parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        self._groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}

    def add(self, words: str, help_text: str, *, has_document: bool = False) -> argparse.ArgumentParser:
        first, _, second = words.partition(" ")
        if second and first not in self._groups:
            self._groups[first] = self._make_group(first)
        place = self._groups[first] if second else self._words
        made = place.add_parser(second or first, help=help_text, description=help_text, allow_abbrev=False)
        made.set_defaults(command=words)
        if has_document:
            made.add_argument("--json", action="store_true", help="answer with one JSON document")
        return made

    def _make_group(self, name: str) -> argparse._SubParsersAction[argparse.ArgumentParser]:
        parser = self._words.add_parser(name, help=f"commands about {GROUPS[name]}", allow_abbrev=False)
        return parser.add_subparsers(dest="command", required=True, metavar="COMMAND")


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"courseway {version('courseway')}\n")


def _add_process_commands(tree: _CommandTree) -> None:
    demo = tree.add("demo", "run everything with an example course and a small LMS, and say where to click")
    demo.add_argument("--port", type=_port, default=8000, help="of Courseway (8000)")
    demo.add_argument("--lms-port", type=_port, default=8001, help="of the practice LMS (8001)")
    demo.add_argument("--data", type=Path, default=Path("data/demo"), metavar="DIR", help="folder of the demo's data")
    demo.add_argument("--fresh", action="store_true", help="forget what was done in the demo before")

    serve = tree.add("serve", "run web and worker")
    serve.add_argument("--port", type=_port, default=8000)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument(
        "--workers", type=_positive, default=None, metavar="N", help="web processes (one for each core, at most 4)"
    )
    serve.add_argument("--no-worker", action="store_true", help="the web alone; run `courseway worker` elsewhere")

    tree.add("worker", "run background work alone; any number of them may run")
    tree.add("migrate", "bring the database to this version", has_document=True)
    tree.add("prune", "delete now what is not kept any longer, as a worker does each night", has_document=True)
    tree.add("check", "name every wrong setting", has_document=True)


def _add_organization_commands(tree: _CommandTree) -> None:
    org = tree.add("org create", "make an organization and its owner", has_document=True)
    org.add_argument("--name", required=True)
    org.add_argument("--owner", required=True, metavar="EMAIL")

    key = tree.add("key create", "make an LTI 1.1 key", has_document=True)
    _add_organization(key)
    key.add_argument("--name", default="", help="which LMS it is for")
    key.add_argument("--key", default="", help="a key of your own; made when absent")
    key.add_argument("--secret", default="", help="a secret of your own; made when absent")

    platform = tree.add("platform add", "register an LTI 1.3 platform", has_document=True)
    whose = platform.add_mutually_exclusive_group(required=True)
    whose.add_argument("--org", default="", metavar="SLUG", help="the organization's short name, as in its address")
    whose.add_argument(
        "--shared",
        action="store_true",
        help="for all organizations: each enters only its deployment ID. Given again, the addresses are changed",
    )
    platform.add_argument("--name", default="", help="which LMS it is")
    for flag, metavar in (
        ("--issuer", "ISSUER"),
        ("--client-id", "ID"),
        ("--auth-url", "URL"),
        ("--token-url", "URL"),
        ("--keyset-url", "URL"),
    ):
        platform.add_argument(flag, required=True, metavar=metavar)
    platform.add_argument(
        "--audience", default="", metavar="A", help="of token requests, where it is not the token URL"
    )
    platform.add_argument("--deployment", action="append", default=[], metavar="ID", help="may be given several times")

    link = tree.add("registration-link create", "make a link by which an LMS registers Courseway", has_document=True)
    _add_organization(link)

    rotate = tree.add("keys rotate", "publish a new key, which signs from tomorrow on", has_document=True)
    rotate.add_argument("--at-once", action="store_true", help="let it sign now: the old key has leaked")
    tree.add("keys list", "list our keys, newest first", has_document=True)
    retire = tree.add("keys retire", "take a key out of our keyset, at once", has_document=True)
    retire.add_argument("kid", metavar="KID", help="as `keys list` says it; after -- if it begins with -")

    reset = tree.add("account reset", "make a sign-in link for somebody who is locked out", has_document=True)
    reset.add_argument("email", metavar="EMAIL")

    launches = tree.add("launches", "list the launch log, newest first", has_document=True)
    _add_organization(launches)
    launches.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most so many (50)")


def _add_course_commands(tree: _CommandTree) -> None:
    load = tree.add("course import", "make a course from a folder or a YAML file", has_document=True)
    load.add_argument("path", type=Path, metavar="PATH")
    _add_organization(load)
    load.add_argument("--teacher", default="", metavar="EMAIL", help="who teaches it")

    change = tree.add("course set", "change the LTI/LMS settings of a course", has_document=True)
    change.add_argument("course", metavar="ID")
    change.add_argument("settings", type=_setting, nargs="+", metavar="KEY=VALUE")

    show = tree.add("course show", "show a course: settings, assignments, people, LMS courses", has_document=True)
    show.add_argument("course", metavar="ID")

    copy = tree.add("course copy", "copy a course, for a new term or as the new parent of copies", has_document=True)
    copy.add_argument("course", metavar="ID")
    copy.add_argument("--title", default="", help="of the copy; the same as the course's when absent")
    copy.add_argument("--teacher", default="", metavar="EMAIL", help="who teaches it")

    export = tree.add("course export", "write a course to a file or folder", has_document=True)
    export.add_argument("course", metavar="ID")
    export.add_argument(
        "--format",
        required=True,
        choices=("cartridge", "thin-cartridge", "cartridge-1.1", "urls-csv", "folder"),
        help="Common Cartridge 1.3, thin or 1.1 (for Moodle); a table of URLs; the course as text",
    )
    export.add_argument(
        "--links",
        choices=("1.0", "1.3"),
        default="1.0",
        help="format of a cartridge's links (1.0, which LTI 1.3 tools use too)",
    )
    export.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="PATH",
        help="a file, or a folder for the course as text; - is standard output, which gets a folder as a ZIP file",
    )


def _add_grade_commands(tree: _CommandTree) -> None:
    grade = tree.add("grade set", "grade somebody's work as a teacher would", has_document=True)
    grade.add_argument("--assignment", required=True, metavar="ID")
    grade.add_argument("--person", required=True, metavar="EMAIL_OR_LMS_USER_ID")
    grade.add_argument("--percent", required=True, type=_percent, metavar="P")
    grade.add_argument("--complete", action="store_true", help="mark the work as completed")
    grade.add_argument("--release", action="store_true", help="let the student, and the LMS, have the grade")

    trial = tree.add("grade try", "send a test score to an LTI 1.3 platform and read it back", has_document=True)
    trial.add_argument(
        "--platform", required=True, metavar="ID", help="as `platform add` said it, or its page's address"
    )
    trial.add_argument("--person", required=True, metavar="LMS_USER_ID", help="a student of the LMS course")
    trial.add_argument("--context", default=None, metavar="ID", help="the LMS course (that of the newest link)")
    trial.add_argument("--percent", type=_percent, default=Decimal(50), metavar="P", help="of 100 points (50)")
    trial.add_argument("--keep", action="store_true", help="leave the test's column in the LMS, to be looked at")

    deliveries = tree.add("deliveries", "list what the LMS is owed", has_document=True)
    deliveries.add_argument("--org", default="", metavar="SLUG")
    deliveries.add_argument("--state", default="", metavar="STATE", help="only those in this state")

    drain = tree.add("drain", "deliver now what is due, in this process", has_document=True)
    drain.add_argument("--until-empty", action="store_true", help="wait for next tries too, until nothing waits")
    drain.add_argument("--timeout", type=_seconds, default=None, metavar="SECONDS", help="stop after so long")


def _add_organization(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--org", required=True, metavar="SLUG", help="the organization's short name, as in its address")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal("NaN")
    if not percent.is_finite() or not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0 to 100")
    return percent


def _setting(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key.strip(), value
