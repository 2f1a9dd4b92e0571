"""The command `practice-lms`. Every command takes `--data DIR`; `serve`, `seed` and the others share that folder.

practice-lms serve [--port 8001] [--host localhost] [--public-url URL] [--fresh]
practice-lms info [--json]                      what the tool's side needs to know
practice-lms seed --courseway-json FILE         the demo course with the links of the file
practice-lms tool add --json TEXT_OR_@FILE      a tool, in the words of POST /api/tools
practice-lms fault TEXT_OR_@FILE                faults, in the words of POST /api/faults
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from practice_lms.database import DEFAULT_FOLDER, open_database, remove_database
from practice_lms.faults import list_faults, order_faults
from practice_lms.installation import DEFAULT_URL, describe_installation, prepare_installation
from practice_lms.refusals import RefusedError
from practice_lms.seed import prepare_cast, read_seed_file, seed_courseway
from practice_lms.tools import save_tool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 refused, 2 wrong usage."""
    wish = _build_parser().parse_args(arguments)
    try:
        return int(wish.run(wish) or 0)
    except RefusedError as refusal:
        print(f"practice-lms: {refusal.message}", file=sys.stderr)
        return 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="practice-lms", description="A small LMS for trying out LTI tools.")
    shared = argparse.ArgumentParser(add_help=False)
    default = os.environ.get("PRACTICE_LMS_DATA_DIR", DEFAULT_FOLDER)
    shared.add_argument(
        "--data", type=Path, default=Path(default), help="folder of the database (default: %(default)s)"
    )
    shared.add_argument(
        "--public-url", default="", help=f"address that browsers and tools use (default: {DEFAULT_URL})"
    )
    shared.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", parents=[shared], help="run the LMS")
    serve.add_argument("--port", type=int, default=8001, help="0 takes a free one (default: %(default)s)")
    serve.add_argument("--host", default="localhost", help="a name of this machine alone (default: %(default)s)")
    serve.add_argument("--fresh", action="store_true", help="begin with an empty database")
    serve.set_defaults(run=_serve)
    info = commands.add_parser("info", parents=[shared], help="what a tool needs to know to register this LMS")
    info.set_defaults(run=_show_info)
    seed = commands.add_parser("seed", parents=[shared], help="make the demo course")
    seed.add_argument("--courseway-json", type=Path, required=True, metavar="FILE")
    seed.set_defaults(run=_seed)
    tool = commands.add_parser("tool", help="tools").add_subparsers(required=True, metavar="COMMAND")
    add = tool.add_parser("add", parents=[shared], help="add a tool, in the words of POST /api/tools")
    add.add_argument("document", metavar="JSON", help="JSON text, or @FILE")
    add.set_defaults(run=_add_tool)
    fault = commands.add_parser("fault", parents=[shared], help="order faults, in the words of POST /api/faults")
    fault.add_argument("document", metavar="JSON", help='JSON text, @FILE, or "clear"')
    fault.set_defaults(run=_order_faults)
    return parser


def _serve(wish: argparse.Namespace) -> int:
    from practice_lms.server import PracticeServer, serve_until_stopped

    if wish.fresh:
        remove_database(wish.data)
    # The socket comes first: with `--port 0` only it knows the address that everything else is made from.
    server = PracticeServer(wish.host, wish.port, lambda environ, start: application(environ, start))
    url = (wish.public_url or f"http://{wish.host}:{server.server_port}").rstrip("/")
    with open_database(wish.data).transaction() as db:
        prepare_installation(db, url)
        prepare_cast(db)
    os.environ["DJANGO_SETTINGS_MODULE"] = "practice_lms.settings"
    os.environ["PRACTICE_LMS_DATA_DIR"] = str(wish.data)
    os.environ["PRACTICE_LMS_PUBLIC_URL"] = url
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    local = f"http://{wish.host}:{server.server_port}"
    print(f"Practice LMS is ready: {url}" + ("" if url == local else f" (at {local})"), flush=True)
    serve_until_stopped(server)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _show_info(wish: argparse.Namespace) -> None:
    with _open(wish) as db:
        described = describe_installation(db)
    _show(wish, described, "\n".join(f"{name:26} {value}" for name, value in described.items()))


def _seed(wish: argparse.Namespace) -> None:
    values = read_seed_file(wish.courseway_json)
    with _open(wish) as db:
        made = seed_courseway(db, values)
    _show(wish, made, f"The course has {len(made['links'])} links of Courseway.")


def _add_tool(wish: argparse.Namespace) -> None:
    values = _read_document(wish.document)
    with _open(wish) as db:
        tool = save_tool(db, values)
    _show(wish, tool.as_json(), f"Tool {tool.id}: {tool.title}")


def _order_faults(wish: argparse.Namespace) -> None:
    now = time.time()
    values: dict[str, Any] = {"clear": True} if wish.document == "clear" else _read_document(wish.document)
    with _open(wish) as db:
        order_faults(db, values, now=now)
        faults = list_faults(db)
    _show(wish, [fault.as_json() for fault in faults], "\n".join(fault.summary for fault in faults) or "No faults.")


def _open(wish: argparse.Namespace) -> Any:
    database = open_database(wish.data)
    with database.transaction() as db:
        prepare_installation(db, wish.public_url)
    return database.transaction()


def _read_document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise RefusedError(f"{text[1:]} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise RefusedError("That is not valid JSON.") from None
    if not isinstance(document, dict):
        raise RefusedError("The JSON document must be an object.")
    return document


def _show(wish: argparse.Namespace, document: Any, text: str) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2) if wish.as_json else text)
