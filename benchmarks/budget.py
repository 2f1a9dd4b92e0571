"""The budget of a launch: where its CPU goes, part by part, in Courseway and in Django's floor.

Both run here as one WSGI callable in one thread, without a server, with a PostgreSQL of their own. A part's time is its
own: what it spends in another part of the table is counted there. Counting costs about a microsecond for each part.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg

from benchmarks.floor import SCHEMA
from benchmarks.platform import CLIENT_ID, DEPLOYMENT, Platform, Visit, sign_v11
from benchmarks.processes import cpu_seconds
from benchmarks.report import Report, describe_machine
from benchmarks.stands import Database, run_database, serve_courseway

PEOPLE, LAUNCHES = 1000, 1500
# Which function is which part; in the order of the table.
DJANGO = {
    "address to view": ["django.core.handlers.base:BaseHandler.resolve_request"],
    "request object": ["django.core.handlers.wsgi:WSGIRequest.__init__"],
    "end of the request: signals, kept connections": ["django.http.response:HttpResponseBase.close"],
}
COURSEWAY = {
    "login: read the request": ["courseway.lms.views:_read_login_fields", "ltikit.v13.login:parse_login"],
    "login: seal the state, write the address": [
        "courseway.lms.views:begin_login",
        "ltikit.v13.login:build_authentication_url",
    ],
    "cookies": ["courseway.lms.sessions:set_launch_cookie", "courseway.lms.views:set_launch_cookie"],
    "launch: read the form": ["courseway.lms.views:_read_form"],
    "launch: open the state": ["ltikit.v13.login:open_attempt"],
    "launch: signature": ["ltikit.v13.launch:verify_token", "ltikit.v11.launch:verify_form_signature"],
    "launch: what the message means": [
        "courseway.lms.verification:verify_launch_v13",
        "ltikit.v11.launch:verify_launch",
    ],
    "launch: fingerprint": ["courseway.lms.arrivals:fingerprint"],
    "launch: the statement": ["courseway.lms.arrivals:run_kept"],
    "launch: ticket and address of the session": [
        "courseway.lms.views:open_session",
        "courseway.lms.views:landing_url",
    ],
    "launch: the rest of the view": ["courseway.lms.views:_launch"],
    "page: open the ticket": ["courseway.lms.middleware:read_ticket"],
    "page: the statement": ["courseway.kept_queries:run_kept"],
    "page: rows to models": ["courseway.kept_queries:_Written.make"],
    "page: who may see what": ["courseway.learning.work_views:see_assignment"],
    "page: find it in memory, fill it in": ["courseway.learning.work_views:show_work"],
    **DJANGO,
}
FLOOR = {
    "signature": ["benchmarks.floor:Floor.check_v13", "benchmarks.floor:Floor.check_v11"],
    "the statement": ["benchmarks.django_floor:_land"],
    **DJANGO,
}
REST = "everything else: Django's handler, middlewares, views"


class Stopwatch:
    """How long each part took by the thread's CPU, less the parts within it."""

    def __init__(self, parts: dict[str, list[str]]) -> None:
        self.spent: Counter[str] = Counter()
        self._within = [0.0]
        for part, places in parts.items():
            for place in places:
                self._watch(part, place)

    def _watch(self, part: str, place: str) -> None:
        module, _, name = place.partition(":")
        owner: Any = importlib.import_module(module)
        *classes, attribute = name.split(".")
        for one in classes:
            owner = getattr(owner, one)
        function: Callable[..., Any] = getattr(owner, attribute)

        def watched(*given: Any, **named: Any) -> Any:
            self._within.append(0.0)
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                took = time.thread_time() - began
                self.spent[part] += took - self._within.pop()
                self._within[-1] += took

        setattr(owner, attribute, watched)


class Caller:
    """A browser and its LMS, in the same thread as the application."""

    def __init__(self, application: Any, platform: Platform, told: dict[str, Any]) -> None:
        self._application, self._platform, self._told = application, platform, told
        self.spent: Counter[str] = Counter()

    def launch(self, number: int, version: str) -> None:
        """A complete launch, whose every answer must be right."""
        told, visit, cookies = self._told, Visit(number % PEOPLE), dict[str, str]()
        target = told["targets"][visit.link_number % len(told["targets"])]
        path, form = urlsplit(target).path, dict[str, str]()
        if version == "1.3":
            query = {"iss": self._platform.issuer, "login_hint": visit.user, "lti_message_hint": visit.link}
            query |= {"client_id": CLIENT_ID, "lti_deployment_id": DEPLOYMENT, "target_link_uri": target}
            asked = self._ask("login", 302, told["login"], cookies, query=urlencode(query))
            answer = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
            token = self._platform.sign_v13(visit, target=target, nonce=answer["nonce"])
            path, form = told["launch"], {"id_token": token, "state": answer["state"]}
        else:
            form = sign_v11(visit, url=target, key=told["key"], secret=told["secret"])
        landing = self._ask("launch", 303, path, cookies, form=form)
        self._ask("page", 200, urlsplit(landing).path, cookies)

    def _ask(
        self,
        part: str,
        status: int,
        path: str,
        cookies: dict[str, str],
        *,
        query: str = "",
        form: dict[str, str] | None = None,
    ) -> str:
        body = urlencode(form or {}).encode()
        environ = {
            "REQUEST_METHOD": "GET" if form is None else "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": self._told["host"],
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        heard: list[Any] = []
        began = time.thread_time()
        answer = self._application(environ, lambda *words: heard.append(words))
        content = b"".join(answer)
        answer.close()
        self.spent[part] += time.thread_time() - began
        (line, headers, *_), *_ = heard
        assert line.startswith(str(status)), f"{path} answered {line}: {content[:2000]!r}"
        for name, value in headers:
            if name.lower() == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                cookies[key] = kept
        return next((value for name, value in headers if name.lower() == "location"), "")


def measure(wish: argparse.Namespace) -> Report:
    """Courseway and the floor, each in a process of its own, as Django's settings want it."""
    found = {}
    for name in ("courseway", "floor"):
        ended = subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks.budget", name], stdout=-1, check=True)
        found[name] = json.loads(ended.stdout)
    machine = found["courseway"].pop("machine")
    found["floor"].pop("machine")
    return Report("budget", write_tables(found), {"machine": machine, "microseconds": found})


def write_tables(found: dict[str, dict[str, Any]]) -> str:
    """One table for each version of LTI."""
    tables = []
    for version in ("1.3", "1.1"):
        own, floor = found["courseway"][version], found["floor"][version]
        lines = [
            f"LTI {version}",
            "",
            "| microseconds of CPU for a launch | Courseway | Django floor |",
            "|---|---|---|",
        ]
        parts = [*[part for part in COURSEWAY if part in own], *[part for part in floor if part not in COURSEWAY]]
        tail = [REST, "Python in all", "PostgreSQL"]
        for part in [*[part for part in parts if part not in tail], *tail]:
            lines.append(f"| {part} | {own.get(part, '')} | {floor.get(part, '')} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def run_one(name: str) -> dict[str, Any]:
    """The budget of one of the two, by version."""
    platform = Platform()
    with run_database() as database, TemporaryDirectory() as folder:
        told = (
            set_up_courseway(Path(folder), database, platform)
            if name == "courseway"
            else set_up_floor(database, platform)
        )
        module = "courseway.wsgi" if name == "courseway" else "benchmarks.django_floor"
        application = importlib.import_module(module).application
        watch = Stopwatch(COURSEWAY if name == "courseway" else FLOOR)
        caller = Caller(application, platform, told)
        for number in range(PEOPLE):
            caller.launch(number, "1.3")
            caller.launch(number, "1.1")
        database.settle()
        found: dict[str, Any] = {"machine": describe_machine(database.version)}
        for version in ("1.3", "1.1"):
            for number in range(100):
                caller.launch(number, version)
            watch.spent.clear()
            caller.spent.clear()
            before = cpu_seconds(database.root)
            for number in range(LAUNCHES):
                caller.launch(number, version)
            spent = {**watch.spent, "PostgreSQL": cpu_seconds(database.root) - before}
            spent["Python in all"] = sum(caller.spent.values())
            spent[REST] = spent["Python in all"] - sum(watch.spent.values())
            found[version] = {part: round(1e6 * seconds / LAUNCHES) for part, seconds in spent.items()}
    platform.stop()
    return found


def set_up_courseway(folder: Path, database: Database, platform: Platform) -> dict[str, Any]:
    with serve_courseway(folder, database, platform) as served:
        os.environ.update(served.environment)
        v11 = next(tool for tool in served.tools if tool.version == "1.1")
    told = {"targets": list(v11.targets), "key": v11.key, "secret": v11.secret}
    return told | {"host": urlsplit(v11.base).netloc, "login": "/lti/login", "launch": "/lti/launch"}


def set_up_floor(database: Database, platform: Platform) -> dict[str, Any]:
    base, uri = "http://127.0.0.1", database.make("floor")
    with psycopg.connect(uri) as connection:
        connection.execute(SCHEMA)
    told = {"base": base, "platform": platform.about(), "pem": platform.public_pem(), "database": uri}
    told |= {"key": secrets.token_hex(8), "secret": secrets.token_hex(16), "secret_key": secrets.token_hex(32)}
    os.environ["FLOOR"] = json.dumps(told)
    own = {"targets": [f"{base}/launch11"], "host": "127.0.0.1", "login": "/login", "launch": "/launch"}
    return told | own


if __name__ == "__main__":
    print(json.dumps(run_one(sys.argv[1])), flush=True)
    os._exit(0)  # threads that wait for nothing would keep it
