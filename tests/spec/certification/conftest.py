"""The stand of the certification: a strict platform, a served Courseway, and a table of what was seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from lxml import html

from tests.end_to_end.demo import EXAMPLE
from tests.end_to_end.servers import OWNER, Courseway, run_courseway
from tests.practice_lms.running import public_trust
from tests.spec.certification.cases import REQUIRED, SECTIONS, section_of
from tests.spec.certification.validator import CLIENT_ID, DEPLOYMENT, Message, Validator, run_validator


@dataclass
class Answer:
    """Where a launch ended, as a browser sees it."""

    url: str
    status: int
    marks: dict[str, str]
    document: Any
    way: list[int]  # the status of each answer on the way
    text: str


class Browser:
    """Somebody's browser without scripts: cookies, redirects, and forms that send themselves."""

    def __init__(self) -> None:
        self.http = httpx2.Client(timeout=30, trust_env=False, follow_redirects=False, verify=public_trust())

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def send(self, method: str, url: str, fields: list[tuple[str, str]] | None = None) -> Answer:
        """One request, and the redirects that follow."""
        way: list[int] = []
        for _ in range(10):
            data: dict[str, list[str]] = {}
            for name, value in fields or []:
                data.setdefault(name, []).append(value)
            answer = self.http.request(method, url, data=data if method == "POST" else None)
            way.append(answer.status_code)
            if answer.status_code not in (301, 302, 303, 307):
                document = html.document_fromstring(answer.text or "<html><body></body></html>")
                marks = {
                    str(name)[5:]: str(value)
                    for name, value in (
                        document.find("body").attrib if document.find("body") is not None else {}
                    ).items()
                    if str(name).startswith("data-")
                }
                return Answer(url, answer.status_code, marks, document, way, answer.text)
            url, method, fields = urljoin(url, answer.headers["location"]), "GET", None
        raise AssertionError(f"{url} leads to itself")


@dataclass
class Stand:
    """Both sides, knowing each other."""

    validator: Validator
    courseway: Courseway
    org: str
    platform: dict[str, Any]
    key: dict[str, Any]
    course: dict[str, Any]
    _count: int = 0

    @property
    def assignment(self) -> dict[str, Any]:
        return dict(self.course["assignments"][0])

    def begin(
        self, browser: Browser, message: Message, *, target: str = "", method: str = "POST", deployment: str = ""
    ) -> list[tuple[str, str]]:
        """Login, redirect, authentication: the form that the platform answers with, in the browser's hands."""
        self._count += 1
        hint = f"hint {self._count}"
        target = target or str(message.changes.get("target_link_uri", self.assignment["url"]))
        self.validator.messages[hint] = replace(message, changes={"target_link_uri": target, **message.changes})
        login = {"iss": self.validator.url, "login_hint": hint, "target_link_uri": target, "client_id": CLIENT_ID}
        deployment = deployment or str(message.changes.get("deployment_id", DEPLOYMENT))
        login |= {"lti_message_hint": f"message of {hint}", "lti_deployment_id": deployment}
        url = self.platform["login_url"]
        if method == "GET":
            begun = browser.send("GET", str(httpx2.URL(url, params=login)))
        else:
            begun = browser.send("POST", url, list(login.items()))
        assert begun.way == [302, 200], f"{begun.url} {begun.way} {begun.marks} {begun.text[:500]}"
        (form,) = begun.document.forms
        assert form.action == self.platform["redirect_url"]
        return [(name, value) for name, value in form.form_values()]

    def launch(self, browser: Browser, message: Message, **wish: Any) -> Answer:
        """A whole launch, in one browser."""
        return browser.send("POST", self.platform["redirect_url"], self.begin(browser, message, **wish))

    def log(self, reference: str) -> dict[str, Any]:
        """The row of the launch log with this reference."""
        rows = self.courseway.run("launches", "--org", self.org, "--limit", "5")
        return next((row for row in rows if row["reference"] == reference), {})

    def count_rows(self) -> dict[str, int]:
        """How many rows each table has; the launch log is left out."""
        database = self.courseway.folder / "data" / "courseway.sqlite3"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            names = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
            apart = ("lms_launch", "django_session", "sqlite_sequence")
            return {
                name: db.execute(f'select count(*) from "{name}"').fetchone()[0]
                for name in names
                if name not in apart and not name.startswith("events_")  # which the worker writes in its own time
            }


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A served Courseway with one course, and the validator registered there as a platform that must be approved."""
    with run_validator() as validator, run_courseway(tmp_path_factory.mktemp("certification") / "courseway") as ours:
        org = ours.run("org", "create", "--name", "Certified", "--owner", OWNER)["org"]
        platform = ours.run(
            *("platform", "add", "--org", org, "--name", "Validator", "--issuer", validator.url),
            *("--client-id", CLIENT_ID, "--auth-url", f"{validator.url}/auth", "--token-url", f"{validator.url}/token"),
            *("--keyset-url", f"{validator.url}/jwks", "--deployment", DEPLOYMENT),
        )
        validator.keyset_url, validator.redirect_uri = platform["keyset_url"], platform["redirect_url"]
        key = ours.run("key", "create", "--org", org, "--name", "Validator by LTI 1.1")
        made = ours.run("course", "import", str(EXAMPLE.parent), "--org", org, "--teacher", OWNER)
        settings = ("lti_enabled=true", "release_grades_automatically=true")
        stand = Stand(validator, ours, org, platform, key, ours.run("course", "set", made["id"], *settings))
        with Browser() as browser:
            assert stand.launch(browser, Message()).marks["launch"] == "ok"  # from now on the keyset is known
        yield stand


@pytest.fixture
def row(record_property: Any) -> Any:
    """Writes a line of the table: number and name of the case, what was expected and what was seen."""

    def write(number: str, name: str, expected: str, seen: str) -> None:
        record_property("certification", [number, name, expected, seen])

    return write


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spec-table", action="store_true", help="print a table of all certification cases")


def read_rows(config: pytest.Config) -> dict[str, tuple[str, str, str, bool]]:
    """What was seen of each case; one that failed once has failed."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    seen: dict[str, tuple[str, str, str, bool]] = {}
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, []) if reporter else []:
            for name, value in getattr(report, "user_properties", []):
                if name == "certification":
                    seen[value[0]] = (value[1], value[2], value[3], outcome == "passed")
    return seen


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A table with holes is a failure, too."""
    if session.config.getoption("--spec-table", default=False):
        seen = read_rows(session.config)
        if not all(number in seen and seen[number][3] for number in REQUIRED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """With --spec-table: every case, in the order of the guide, also those that did not run."""
    if not config.getoption("--spec-table", default=False):
        return
    seen = read_rows(config)
    write = terminalreporter.write_line
    terminalreporter.section("certification cases")
    holding, width = 0, max((len(one[0]) for one in seen.values()), default=20)
    for section, title in SECTIONS.items():
        write(title if section == "x" or title.startswith("LTI 1.1") else f"{section}  {title}")
        for number in (one for one in REQUIRED if section_of(one) == section):
            case, expected, what, holds = seen.get(number, ("", "", "not run", False))
            holding += holds
            verdict = "holds" if holds else "FAILS"
            write(f"  {number:5} {case:{width}}  {verdict}  {expected}; seen: {what}")
    write(f"{holding} of {len(REQUIRED)} cases hold.")
    recorded = [
        (value, outcome == "passed")
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "recorded"
    ]
    write("Launches recorded from LMSs" if recorded else "Launches recorded from LMSs: none are kept here, skipped")
    for (name, expected, what), holds in recorded:
        write(f"  {name:46}  {'holds' if holds else 'FAILS'}  {expected}; seen: {what}")
