"""What deploy/ starts, started as processes of this machine: the commands, variables, secrets and proxy of
compose.yaml, with PostgreSQL, two webs, two workers and a broker. Only names of hosts, ports and folders are others."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from kombu import Connection

from courseway.celery_engine import QUEUE
from tests.courseway.brokers import find_broker, is_listening, run_broker, why_missing
from tests.end_to_end.demo import free_port, read_answers
from tests.end_to_end.plain_browser import PlainBrowser
from tests.end_to_end.proxy import HOST, find_nginx, make_certificate
from tests.end_to_end.servers import (
    LOOPBACK,
    PASSWORD,
    Courseway,
    Stand,
    run_console,
    run_program,
    wait_for,
    wait_until_ready,
)
from tests.practice_lms.running import PracticeLms
from tests.test_deploy import DEPLOY, SERVICES, make_secrets, read_env_example

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(find_nginx() is None, reason="no nginx was found: apt-get install nginx-light"),
    pytest.mark.postgresql,
]
ENGINE = "rabbitmq"  # the other one is in tests/test_deploy.py


@dataclass
class Containers:
    """The services of compose.yaml as processes; each copy of one has a data folder of its own."""

    folder: Path
    secrets: Path
    public_url: str
    stack: ExitStack
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, name: str, copy: str) -> dict[str, str]:
        """What the service is given, with folders of this machine."""
        places = {
            "/run/secrets/": f"{self.secrets}/",
            "/var/lib/courseway": str(self.folder / copy),
            "/srv/courseway/files": str(self.folder / "files"),
        }
        given = {**read_env_example(), **SERVICES[name]["environment"]}
        for ours, here in places.items():
            given = {variable: value.replace(ours, here) for variable, value in given.items()}
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("COURSEWAY_", "DJANGO_"))}
        addresses = {"COURSEWAY_PUBLIC_URL": self.public_url, "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": LOOPBACK}
        (self.folder / copy).mkdir(exist_ok=True)
        return {**bare, "PYTHONPATH": str(DEPLOY.parent / "src"), **given, **addresses}

    def run(self, name: str) -> int:
        """A service that ends by itself."""
        command = [sys.executable, "-m", "courseway", *SERVICES[name]["command"]]
        return subprocess.run(command, env=self.environment(name, name), check=False, timeout=120).returncode

    def start(self, name: str, number: int, **changes: str) -> None:
        copy = f"{name}-{number}"
        words = [changes.get(word, word) for word in SERVICES[name]["command"]]
        log = self.folder / f"{copy}.log"
        running = run_program(words, self.environment(name, copy), log=log)
        self.processes[copy] = self.stack.enter_context(running)


def ask_health(port: int) -> bool:
    """The health check of the web service, with its own words."""
    command = [part.replace(":8000/", f":{port}/") for part in SERVICES["web"]["healthcheck"]["test"][1:]]
    assert command[0] == "python"
    return subprocess.run([sys.executable, *command[1:]], capture_output=True, check=False).returncode == 0


@contextmanager
def own_postgres(secrets: Path) -> Iterator[None]:
    """A database and its owner as the image makes them from the secret; the address in the secrets then leads there."""
    password = (secrets / "database_password").read_text()
    server = os.environ["COURSEWAY_TEST_DATABASE_URL"]
    name = f"courseway_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
        info = connection.info
        where = f"host={info.host}&port={info.port}"
    try:
        (secrets / "database_url").write_text(f"postgresql://{name}:{password}@/{name}?{where}")
        yield
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"DROP ROLE {name}")


@contextmanager
def run_proxy(folder: Path, port: int, webs: list[int]) -> Iterator[None]:
    """nginx with the very file of deploy/, the webs' addresses in the place of Docker's name server."""
    text = (DEPLOY / "nginx.conf").read_text()
    servers = "".join(f"server 127.0.0.1:{web}; " for web in webs)
    places = {
        " /tmp/": f" {folder}/",  # before what leads there itself
        "listen 8443": f"listen {HOST}:{port}",
        "listen 8080": f"listen {HOST}:{free_port()}",
        "http://web:8000": "http://webs",
        "/run/secrets/certificate_key": f"{folder}/key.pem",
        "/run/secrets/certificate;": f"{folder}/certificate.pem;",
        "access_log /dev/stdout": f"access_log {folder}/access.log",
        "http {": f"http {{ upstream webs {{ {servers} }}",
    }
    for ours, here in places.items():
        assert ours in text, ours
        text = text.replace(ours, here)
    (folder / "nginx.conf").write_text(text)
    program = find_nginx()
    assert program is not None
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 20
        while not is_listening(port, HOST):
            assert process.poll() is None and time.monotonic() < until, (folder / "nginx.log").read_text()  # noqa: PT018
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def start_all(folder: Path) -> Iterator[tuple[Stand, Containers, list[int]]]:
    """Everything in the order of compose.yaml, with the health checks that it waits for."""
    port, webs = free_port(), [free_port(), free_port()]
    with ExitStack() as stack:
        secrets = make_secrets(folder / "deploy", ENGINE)
        stack.enter_context(own_postgres(secrets))
        # As in the container, the file gives the broker its password, and the address that we are given has it.
        configuration = folder / "broker.conf"
        configuration.write_text((secrets / f"{ENGINE}_conf").read_text())
        address = stack.enter_context(run_broker(ENGINE, folder / "broker", configuration=configuration))
        given = (secrets / "tasks_url").read_text()
        (secrets / "tasks_url").write_text(re.sub(rf"@{ENGINE}:\d+", f"@127.0.0.1:{urlsplit(address).port}", given))
        containers = Containers(folder, secrets, f"https://{HOST}:{port}", stack)
        assert not ask_health(webs[0])
        assert containers.run("migrate") == 0
        assert containers.run("migrate") == 0, "at the next start it has nothing to do"
        for number, web in enumerate(webs):
            containers.start("web", number, **{"8000": str(web), "0.0.0.0": "127.0.0.1", "2": "1"})  # noqa: S104
            containers.start("worker", number)
        nginx = folder / "nginx"
        nginx.mkdir()
        make_certificate(nginx)
        stack.enter_context(run_proxy(nginx, port, webs))
        environment = {**containers.environment("worker", "console"), "COURSEWAY_OWNER_PASSWORD": PASSWORD}
        console = stack.enter_context(run_console(environment))
        courseway = Courseway(containers.public_url, f"http://127.0.0.1:{webs[0]}", folder, environment, console)
        (folder / "serve.log").touch()
        for number, web in enumerate(webs):
            wait_until_ready(f"http://127.0.0.1:{web}/healthz", containers.processes[f"web-{number}"], courseway)
        assert all(ask_health(web) for web in webs)
        lms = PracticeLms(folder / "practice-lms", PRACTICE_LMS_CA_FILE=str(nginx / "certificate.pem"))
        stack.callback(lms.stop)
        made = courseway.run("org", "create", "--name", "North School", "--owner", "owner@school.example")
        yield Stand(courseway, lms, made["org"], lms.get("info")), containers, webs


def launch_and_hand_in(stand: Stand, course: str, link: str, name: str, assignment: dict[str, str]) -> str:
    """A new student comes through the proxy, answers everything right and hands in; the person's id in the LMS."""
    student = stand.lms.add_person(course, given_name=name, family_name="Deployed", email="")
    trusted = ssl.create_default_context(cafile=str(stand.courseway.folder / "nginx" / "certificate.pem"))
    with PlainBrowser(stand.lms, student, verify=trusted) as browser:
        landed = browser.launch(link)
        assert (landed.status, landed.marks["launch"]) == (200, "ok"), landed.text
        assert landed.marks["assignment"] == assignment["id"]
        answers = {name: one.text for name, one in read_answers(assignment["title"]).items()}
        browser.hand_in(landed, answers)
    return str(student)


@pytest.mark.timeout(300)
@pytest.mark.skipif(find_broker(ENGINE) is None, reason=why_missing(ENGINE))
def test_a_launch_and_a_grade_go_through(tmp_path: Path) -> None:
    """Launches by both versions come in through the proxy and grades reach the LMS, also when a web and a worker died;
    both workers listen at the broker."""
    with start_all(tmp_path) as (stand, containers, webs):
        master = stand.import_example("release_grades_automatically=true")
        course = stand.lms.add_course()
        places = []
        for tool, assignment in zip(
            (stand.add_key("K"), stand.add_registration("R")), master["assignments"], strict=False
        ):
            wish = {"title": assignment["title"], "url": assignment["url"], "points": 20}
            link = stand.lms.post("links", course=course, tool=tool["tool"]["id"], **wish)
            places.append((link["id"], assignment))
        for number, (link, assignment) in enumerate(places):
            student = launch_and_hand_in(stand, course, link, f"First{number}", assignment)
            stand.wait_for_percent(course, student, assignment["title"], Decimal(100))
        tasks_url = (containers.secrets / "tasks_url").read_text()
        with Connection(tasks_url) as connection, connection.channel() as channel:
            wait_for(lambda: channel.queue_declare(QUEUE, passive=True).consumer_count == 2)
        for copy in ("web-0", "worker-1"):
            containers.processes[copy].kill()
            containers.processes[copy].wait()
        wait_for(lambda: not ask_health(webs[0]))  # what a killed process had started ends a little later
        assert [ask_health(web) for web in webs] == [False, True]
        for number, (link, assignment) in enumerate(places):
            student = launch_and_hand_in(stand, course, link, f"Second{number}", assignment)
            stand.wait_for_percent(course, student, assignment["title"], Decimal(100))
        served = (tmp_path / "nginx" / "access.log").read_text()
        assert " 502 " not in served
        assert served.count("POST /lti/launch") >= 2
