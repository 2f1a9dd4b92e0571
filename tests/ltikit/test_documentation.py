"""ltikit as a product: the examples of its documentation run, its tables are true, all of it says what it does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from flask import Flask, redirect, request
from scripts.write_ltikit_tables import MODULES, PAGE, list_errors, write_modules, write_page

from ltikit.errors import LtiError, ReplayError
from ltikit.parameters import parse_form
from ltikit.v11.launch import verify_launch
from ltikit.v13 import launch as v13_launch
from ltikit.v13 import login
from tests.ltikit.v11.signed_forms import SECRET, STUDENT_LAUNCH, URL, change, sign
from tests.ltikit.v13 import platform

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "ltikit"
SOURCE = ROOT / "src" / "ltikit"
BLOCK = re.compile(r"<!-- (\w+): ([^>]*) -->\n```python\n(.*?)```", re.DOTALL)


def run_example(page: str, kind: str, names: dict[str, Any]) -> dict[str, Any]:
    """What the example's code defines, run with these names."""
    (code,) = (found[2] for found in BLOCK.findall((DOCS / page).read_text()) if found[0] == kind)
    names["__name__"] = "example"
    exec(compile(code, f"{page}:{kind}", "exec"), names)  # noqa: S102 - it is our own documentation
    return names


def post_of(**changes: Any) -> bytes:
    """The bytes of a launch that was signed just now."""
    return urlencode(sign(change(STUDENT_LAUNCH, **changes), now=datetime.now(UTC), nonce="once")).encode()


def test_the_flask_example_runs() -> None:
    """A launch is welcomed once; a replay, another secret and no form at all are refused with hint and status."""
    told = {"URL": URL, "SECRET": SECRET, "escape": escape, "UTC": UTC, "datetime": datetime, "Flask": Flask}
    told |= {"request": request, "verify_launch": verify_launch, "parse_form": parse_form}
    app = run_example("README.md", "flask", {**told, "LtiError": LtiError, "ReplayError": ReplayError})["app"]
    visitor = app.test_client()
    kind = "application/x-www-form-urlencoded"
    body = post_of()
    welcome = visitor.post("/launch", data=body, content_type=kind)
    assert (welcome.status_code, welcome.text) == (200, "Welcome, Zoë Ångström: student of Programming.")
    again = visitor.post("/launch", data=body, content_type=kind)
    assert (again.status_code, again.text) == (401, ReplayError.hint)
    for bad in (body.replace(b"Learner", b"Instructor"), b"", b"\xff=1"):
        assert visitor.post("/launch", data=bad, content_type=kind).status_code in (400, 401)


def test_the_django_example_runs() -> None:
    """The same by a view of Django."""
    told = {"URL": URL, "SECRET": SECRET, "escape": escape, "timezone": timezone, "cache": cache}
    told |= {"csrf_exempt": csrf_exempt, "require_POST": require_POST, "HttpResponse": HttpResponse}
    told |= {"verify_launch": verify_launch, "parse_form": parse_form}
    view = run_example("README.md", "django", {**told, "LtiError": LtiError, "ReplayError": ReplayError})["open_work"]
    cache.clear()
    kind = "application/x-www-form-urlencoded"
    body = post_of(lis_person_name_full="<b>Zoë</b>")
    answers = [view(RequestFactory().post("/launch", body, content_type=kind)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0].content.decode() == "Welcome, &lt;b&gt;Zoë&lt;/b&gt;: student of Programming."
    assert view(RequestFactory().post("/launch", b"", content_type=kind)).status_code == 400
    assert view(RequestFactory().get("/launch")).status_code == 405
    cache.clear()


def test_the_flask_example_of_lti_13_runs() -> None:
    """Login, redirect and launch in one browser are welcomed; without the browser's cookie the launch is refused."""
    told: dict[str, Any] = {
        "AUTHENTICATION_URL": "https://lms.example/auth",
        "CLIENT_ID": platform.CLIENT_ID,
        "ISSUER": platform.ISSUER,
        "REDIRECT_URI": "https://tool.example/launch",
        "SECRET": token_bytes(32),
        "now": lambda: platform.NOW,
        "read_keys": platform.keyset,
        "token_bytes": token_bytes,
        "escape": escape,
        "Registration": v13_launch.Registration,
        "verify_launch": v13_launch.verify_launch,
    }
    names = ("parse_login", "begin_login", "seal_attempt", "build_authentication_url", "parse_launch_form")
    told |= {name: getattr(login, name) for name in (*names, "peek_attempt_id", "open_attempt")}
    flask_names = {"Flask": Flask, "request": request, "redirect": redirect, "LtiError": LtiError}
    app = run_example("launch-1.3.md", "flask", {**told, **flask_names})["app"]
    browser, other = (app.test_client() for _ in range(2))
    asked = {"iss": platform.ISSUER, "login_hint": "7", "target_link_uri": "https://tool.example/launch"}
    begun = browser.post("/login", data=asked, base_url="https://tool.example")
    query = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
    assert query["redirect_uri"] == "https://tool.example/launch"
    token = platform.sign(platform.make_claims(nonce=query["nonce"], deployment_id="1"))
    answer = {"id_token": token, "state": query["state"]}
    stolen = other.post("/launch", data=answer, base_url="https://tool.example")
    assert stolen.status_code == 401
    welcome = browser.post("/launch", data=answer, base_url="https://tool.example")
    assert (welcome.status_code, welcome.text) == (200, "Welcome, Ada Lovelace: teacher of Python.")


def test_the_examples_have_ten_lines() -> None:
    """What is called ten lines has at most ten that are not blank, definitions of the program included."""
    for _kind, _title, code in BLOCK.findall((DOCS / "README.md").read_text()):
        assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_the_table_of_errors_is_true() -> None:
    """docs/ltikit/errors.md is what the code says (`make quirks` writes it); codes are there once each."""
    assert PAGE.read_text() == write_page()
    codes = [kind.code for kind in list_errors()]  # type: ignore[attr-defined]
    assert len(codes) == len(set(codes))


def test_the_list_of_modules_is_true() -> None:
    """docs/ltikit/modules.md is what the code says (`make quirks` writes it): no module of ltikit is left out."""
    assert MODULES.read_text() == write_modules()


def test_links_and_names_of_the_documentation() -> None:
    """Every relative link leads to a file, every dotted name of ltikit that is mentioned can be imported."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
        for dotted in re.findall(r"\bltikit(?:\.\w+)+", text):
            assert find(dotted), f"{page.name}: {dotted}"


def find(dotted: str) -> bool:
    """Whether a module, or a name in one, is there."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = SOURCE.parent.joinpath(*parts[:length])
        if path.is_dir() or path.with_suffix(".py").exists():
            module = __import__(".".join(parts[:length]), fromlist=["x"])
            thing: Any = module
            for name in parts[length:]:
                if not hasattr(thing, name):
                    return False
                thing = getattr(thing, name)
            return True
    return False


def public_definitions() -> Iterator[tuple[str, ast.AST]]:
    """Every function, class and method of ltikit without an underscore, and where it stands."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        yield f"{path.relative_to(SOURCE)}", tree
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield f"{path.relative_to(SOURCE)}:{node.name}", node
                for inner in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{path.relative_to(SOURCE)}:{node.name}.{inner.name}", inner


def test_everything_public_says_what_it_is() -> None:
    """Each module, class, function and method has a docstring."""
    silent = [place for place, node in public_definitions() if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not [place for place in silent if not place.endswith("__init__.py")], silent


def test_what_refuses_names_its_errors() -> None:
    """The docstring of a public function that raises a named error itself names that error, or whose it is."""
    forgotten = []
    for place, node in public_definitions():
        if not isinstance(node, ast.FunctionDef):
            continue
        words = ast.get_docstring(node) or ""
        for raised in (one for one in ast.walk(node) if isinstance(one, ast.Raise) and one.exc is not None):
            name = ast.unparse(raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc)  # type: ignore[arg-type]
            if name.endswith("Error") and name not in words and name not in ("ValueError", "KeyError"):
                forgotten.append(f"{place} raises {name}")
    assert not forgotten


@pytest.mark.slow
def test_the_public_api_is_typed() -> None:
    """mypy, as strict as it can be, finds the types that tests/ltikit/typing_of_the_api.py says, and no Any of ours."""
    mypy = Path(sys.executable).with_name("mypy")
    options = ("--config-file=", "--strict", "--python-version", "3.11", "--cache-dir", str(ROOT / ".mypy_cache/api"))
    checked = subprocess.run(
        [mypy, *options, ROOT / "tests/ltikit/typing_of_the_api.py"],
        env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
