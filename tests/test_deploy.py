"""deploy/ names only what there is: commands, variables, ports, paths, secrets. No Docker is needed to see that."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from kombu import Connection
from kombu.exceptions import OperationalError

from courseway.checks import VARIABLES
from courseway.cli.arguments import build_parser
from courseway.supervise import STOP_SECONDS
from tests.courseway.brokers import find_broker, run_broker, why_missing
from tests.end_to_end.proxy import read_example

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KNOWN = {*VARIABLES, *(f"{name}_FILE" for name in VARIABLES)}
PROGRAMS = ("web", "worker", "migrate")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def read_env_example() -> dict[str, str]:
    """The variables of the example, those too that stand there as comments."""
    lines = (DEPLOY / "courseway.env.example").read_text().splitlines()
    found = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    return {one[1]: one[2] for one in found if one}


def make_secrets(folder: Path, *engine: str) -> Path:
    """What the script of deploy/ makes, in a copy of the folder."""
    folder.mkdir(exist_ok=True)
    shutil.copy(DEPLOY / "make-secrets.sh", folder)
    subprocess.run([folder / "make-secrets.sh", *engine], check=True, capture_output=True)
    return folder / "secrets"


def list_mounts(service: dict[str, Any]) -> dict[str, str]:
    """Where each volume or file is mounted, by its source."""
    return dict(volume.split(":")[:2] for volume in service.get("volumes", []))


def list_tmpfs(service: dict[str, Any]) -> list[str]:
    return [one.partition(":")[0] for one in service.get("tmpfs", [])]


@pytest.mark.parametrize("name", PROGRAMS)
def test_commands_are_those_of_the_program(name: str) -> None:
    """The command of each service is one that `courseway` takes, and the image begins with `courseway`."""
    wish = build_parser().parse_args(SERVICES[name]["command"])
    assert wish.command == {"web": "serve", "worker": "worker", "migrate": "migrate"}[name]
    assert 'ENTRYPOINT ["courseway"]' in CONTAINERFILE
    (words,) = re.findall(r"^CMD \[(.*)\]$", CONTAINERFILE, re.MULTILINE)
    assert build_parser().parse_args(yaml.safe_load(f"[{words}]")).command == "serve"


def test_ports_meet() -> None:
    """The web listens, is asked for its health, and is found by the proxy at one port, which the image exposes."""
    wish = build_parser().parse_args(SERVICES["web"]["command"])
    assert (wish.host, wish.no_worker) == ("0.0.0.0", True)  # noqa: S104 - inside a container of its own
    assert f"http://127.0.0.1:{wish.port}/readyz" in SERVICES["web"]["healthcheck"]["test"][-1]
    nginx = (DEPLOY / "nginx.conf").read_text()
    assert f"set $web http://web:{wish.port};" in nginx
    assert f"EXPOSE {wish.port}" in CONTAINERFILE
    listened = set(re.findall(r"listen (\d+)", nginx))
    assert {port.rpartition(":")[2] for port in SERVICES["proxy"]["ports"]} == listened
    assert "https://127.0.0.1:8443/healthz" in SERVICES["proxy"]["healthcheck"]["test"]
    assert "8443" in listened


@pytest.mark.parametrize("name", PROGRAMS)
def test_variables_are_known(name: str) -> None:
    """Every variable is one that is read; secrets come as files, and each named file is a secret of the service."""
    service = SERVICES[name]
    assert set(service["environment"]) <= KNOWN
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert not [one for one in service["environment"] if "KEY" in one and not one.endswith("_FILE")]
    assert service["env_file"] == "courseway.env"


def test_the_example_of_variables_is_known() -> None:
    """So is every variable of the example, and none of them stands in compose.yaml already or is a secret."""
    example = read_env_example()
    assert "COURSEWAY_PUBLIC_URL" in example
    assert set(example) <= KNOWN
    assert not set(example) & set(SERVICES["web"]["environment"])
    assert not [name for name in example if re.search("KEY|PASSWORD|DATABASE|TASKS", name)]


def test_writable_places_are_mounted() -> None:
    """Programs run without rights on a root that cannot be written: their two folders and /tmp are mounted."""
    for name in PROGRAMS:
        service = SERVICES[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert f"USER {service['user']}" in CONTAINERFILE
        writable = {*list_mounts(service).values(), *list_tmpfs(service)}
        assert {"/tmp", service["environment"]["COURSEWAY_DATA_DIR"]} <= writable  # noqa: S108 - a mount
        if name != "migrate":
            assert service["environment"]["COURSEWAY_STORAGE_URL"] == "file://" + list_mounts(service)["files"]
        # Longer than the processes in it are given, so that none is killed in the middle of a request.
        assert float(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    for folder in ("/var/lib/courseway", "/srv/courseway/files"):
        assert folder in CONTAINERFILE
    named = {source for service in SERVICES.values() for source in list_mounts(service) if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])


def test_everything_that_is_named_is_there() -> None:
    """Files that are mounted or copied are in the repository, services that are waited for exist and tell their health,
    and the order is: database, schema, web, proxy."""
    for service in SERVICES.values():
        for source in list_mounts(service):
            assert not source.startswith(".") or (DEPLOY / source).is_file(), source
        for other, wish in service.get("depends_on", {}).items():
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
        assert set(service["networks"]) <= set(COMPOSE["networks"])
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            allowed = (ROOT / ".dockerignore").read_text().splitlines()
            assert f"!{source.partition('/')[0]}" in allowed
    assert SERVICES["proxy"]["depends_on"] == {"web": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"


def test_images_are_named_without_a_host() -> None:
    """Where images come from is the operator's choice; a version is named, so that an update is one."""
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    for image in images:
        assert not re.match(r"[^/]*[.:][^/]*/", image), image
        assert image == "courseway" or ":" in image
    assert COMPOSE["name"] == "courseway"


def test_python_packages_are_locked() -> None:
    """The image installs only what has its hash in requirements/, and Celery is among it."""
    installs = [line for line in CONTAINERFILE.splitlines() if "pip install" in line or "pip wheel" in line]
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line
    for name in re.findall(r"--requirement (\S+)", CONTAINERFILE):
        text = (ROOT / name).read_text()
        pinned = re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.MULTILINE)
        assert pinned
        assert text.count("--hash=sha256:") >= len(pinned)
    assert re.search("^celery==", (ROOT / "requirements/celery.txt").read_text(), re.MULTILINE)
    assert re.search("^psycopg==", (ROOT / "requirements/celery.txt").read_text(), re.MULTILINE)
    # Built by the same version that developers build with.
    (built_by,) = re.findall(r"^hatchling==\S+", (ROOT / "requirements/build.txt").read_text(), re.MULTILINE)
    assert built_by in (ROOT / "requirements/dev.txt").read_text()


@pytest.mark.parametrize("engine", ["", "rabbitmq", "valkey"])
def test_secrets_are_made_once(tmp_path: Path, engine: str) -> None:
    """Every secret of compose.yaml is made, readable inside a container and by nobody else outside, and stays."""
    words = [engine] if engine else []
    secrets = make_secrets(tmp_path / "deploy", *words)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    texts = {}
    for name, source in COMPOSE["secrets"].items():
        if source["file"].startswith("./secrets/"):
            path = secrets.parent / source["file"]
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
            texts[name] = path.read_text()
    used = {one["source"] if isinstance(one, dict) else one for s in SERVICES.values() for one in s.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert len(texts["secret_key"]) >= 32
    assert texts["database_url"] == f"postgresql://courseway:{texts['database_password']}@database:5432/courseway"
    database = SERVICES["database"]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == ("courseway", "courseway")
    scheme = {"": "", "rabbitmq": "amqp", "valkey": "valkey"}[engine]
    assert texts["tasks_url"].partition("://")[0] == scheme
    if engine:
        assert SERVICES[engine]["profiles"] == [engine]
        assert f"@{engine}:" in texts["tasks_url"]
        password = texts["tasks_url"].partition("@")[0].rpartition(":")[2]
        assert password in texts[f"{engine}_conf"]
    make_secrets(tmp_path / "deploy", "rabbitmq")
    assert {name: (secrets / name).read_text() for name in texts} | {"tasks_url": ""} == texts | {"tasks_url": ""}
    assert (secrets / "tasks_url").read_text().startswith("amqp://")


def test_a_wrong_engine_makes_nothing(tmp_path: Path) -> None:
    """A word that is no engine is refused in a line."""
    shutil.copy(DEPLOY / "make-secrets.sh", tmp_path)
    ended = subprocess.run([tmp_path / "make-secrets.sh", "kafka"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert os.listdir(tmp_path) == ["make-secrets.sh"]


def test_the_proxy_says_what_the_documentation_says() -> None:
    """Whatever the example of docs/operations.md passes on, the proxy of the containers does too."""
    nginx = (DEPLOY / "nginx.conf").read_text()
    wanted = [line.strip() for line in read_example("elsewhere").splitlines() if line.startswith("    ")]
    assert len(wanted) >= 4
    for line in wanted:
        assert line in nginx or line.startswith("proxy_pass"), line


def test_nothing_secret_can_be_committed() -> None:
    """What the operator puts beside compose.yaml is ignored by git, and is not sent along when the image is built."""
    ignored = (DEPLOY / ".gitignore").read_text().split()
    assert {"/secrets/", "/certificates/", "/courseway.env"} <= set(ignored)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


@pytest.mark.skipif(find_broker("redis") is None, reason=why_missing("redis"))
def test_valkey_asks_for_the_password(tmp_path: Path) -> None:
    """With its file Valkey takes the hints of whoever has the address from the secrets, and of nobody else."""
    secrets = make_secrets(tmp_path / "deploy", "valkey")
    assert SERVICES["valkey"]["command"] == ["valkey-server", "/run/secrets/valkey_conf"]
    with run_broker("redis", tmp_path / "broker", configuration=secrets / "valkey_conf") as url:
        port = urlsplit(url).port
        given = (secrets / "tasks_url").read_text().replace("@valkey:6379", f"@127.0.0.1:{port}")
        with Connection(given.replace("valkey://", "redis://")) as connection:
            connection.ensure_connection(max_retries=1)
        with pytest.raises(OperationalError, match=r"(?i)auth"), Connection(url) as connection:
            connection.ensure_connection(max_retries=1)
