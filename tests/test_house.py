"""Rules of the house that a machine can check: imports, names, settings, documents, tests that say what they hold."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from courseway.checks import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
BANNED = {"utils", "util", "helpers", "helper", "common", "core", "services", "managers", "mixins", "misc"}
# ltikit's name for the platform's services (token, AGS) is the specification's word.
ALLOWED = {"src/ltikit/services.py", "src/practice_lms/services.py"}
# Names of settings end in a letter: `COURSEWAY_TEST_` is a prefix, not a setting.
SETTING = re.compile(r"COURSEWAY_[A-Z_]*[A-Z]")


def list_files() -> list[Path]:
    """What belongs to the repository: git's word where there is git, or else everything that is not made by tools."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    made = {".venv", "data", "build", "dist", "node_modules"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part in made or part.endswith("cache") for part in path.parts)
    ]


def read_texts() -> Iterator[tuple[str, str]]:
    for path in list_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def find_settings(folder: str) -> set[str]:
    texts = (path.read_text() for path in (ROOT / folder).rglob("*.py"))
    return {name.removesuffix("_FILE") for text in texts for name in SETTING.findall(text)}


def test_imports_go_down_the_column() -> None:
    """Every import contract of pyproject.toml holds."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ltikit_asks_neither_the_clock_nor_the_network() -> None:
    """ltikit takes `now` as an argument, and no room opens addresses by itself: only outbound does."""
    clock = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\(|\btime\.(time|monotonic)\(|\bimport time\b")
    network = re.compile(r"\burllib\.request\b|\bhttp\.client\b|\bfrom urllib import request\b|\burlopen\b")
    sources = [(name, text) for name, text in read_texts() if name.startswith("src/") and name.endswith(".py")]
    assert not [name for name, text in sources if name.startswith("src/ltikit/") and clock.search(text)]
    rooms = ("orgs", "courses", "lms", "grades", "learning")
    pure = ("src/ltikit/", *(f"src/courseway/{room}/" for room in rooms))
    assert not [name for name, text in sources if name.startswith(pure) and network.search(text)]


def test_no_file_has_a_name_that_says_nothing() -> None:
    """No module or folder of ours is called utils, helpers, common or the like."""
    paths = [path.relative_to(ROOT).as_posix() for path in list_files()]
    ours = [path for path in paths if path.startswith(("src/", "tests/")) and path not in ALLOWED]
    assert not [path for path in ours if BANNED & {Path(part).stem for part in Path(path).parts}]


def test_content_is_changed_where_it_gets_a_new_mark() -> None:
    """Pages and questions are written with their assignment, under a mark of its own, and nowhere else."""
    writes = re.compile(r"\b(Page|Question|pages|questions)\b(\(|\.)[^#\n]*?\b(create|bulk_create|update|delete)\(")
    found = {
        path.name
        for path in (ROOT / "src" / "courseway").rglob("*.py")
        if path.parent.name != "migrations" and writes.search(path.read_text())
    }
    assert found == {"importing.py", "copying.py"}


def test_every_setting_is_documented_and_checked() -> None:
    """The variables of the code, of docs/configuration.md and of the check for misspelled ones are the same."""
    documented = {
        name
        for line in (ROOT / "docs/configuration.md").read_text().splitlines()
        if line.startswith("| `COURSEWAY_")
        for name in SETTING.findall(line.split("|")[1])
    }
    assert documented == set(VARIABLES)
    read = {name for name in find_settings("src/courseway") if not name.startswith("COURSEWAY_TEST")}
    assert read == documented


def test_every_test_says_what_must_hold() -> None:
    """Each test function has a docstring of one sentence."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").rstrip().endswith((".", "?", "!"))
    ]
    assert not silent, "\n".join(silent)


def test_names_of_tests_hold_no_time() -> None:
    """Parameters made from a clock are not part of a test's name: processes of a parallel run must agree on names."""
    clocks = re.compile(r"\btime\.time\(|\bnow\(|\butcnow\(|\buuid\d\(|\bnew_id\(|\btoken_\w+\(")
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        if not re.search(r"ids=(str|repr)\b", text):  # most files: nothing to take apart
            continue
        for node in ast.walk(ast.parse(text)):
            for decorator in getattr(node, "decorator_list", []):
                words = ast.get_source_segment(text, decorator) or ""
                if "parametrize" in words and clocks.search(words) and re.search(r"ids=(str|repr)\b", words):
                    found.append(f"{path.relative_to(ROOT)}:{decorator.lineno}")
    assert not found, found


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the business of whoever installs them, so no file names a host or an index."""
    hosts = ("py" + "pi.org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian.org", "index" + "-url =")
    flags = re.compile(r"--(extra-)?index" + r"-url|--find" + r"-links")
    found = [name for name, text in read_texts() if any(host in text for host in hosts) or flags.search(text)]
    assert not found


def read_pages(*endings: str) -> list[tuple[str, str]]:
    """Templates, without what Django takes out of them, and styles."""
    return [
        (name, re.sub(r"{%.*?%}|{{.*?}}", "", text))
        for name, text in read_texts()
        if name.startswith("src/") and name.endswith(endings)
    ]


def test_pages_load_nothing_from_other_hosts() -> None:
    """No template and no style refers to a script, style, picture or font of another host."""
    foreign = re.compile(
        r"""(?:src|srcset|data)\s*=\s*["'](?:https?:)?//"""
        r"""|<link[^>]+href\s*=\s*["'](?:https?:)?//"""
        r"""|url\(\s*["']?(?:https?:)?//|@import""",
        re.IGNORECASE,
    )
    pages = read_pages(".html", ".css")
    assert pages
    assert not [name for name, text in pages if foreign.search(text)]


def test_pages_hold_no_inline_scripts_and_styles() -> None:
    """The Content Security Policy allows none, so a page that has one is broken."""
    inline = re.compile(
        r"""<script(?![^>]*\bsrc=)(?![^>]*type=["']application/json)|<[^>]+\sstyle\s*=|<[^>]+\son[a-z]+\s*=""",
        re.IGNORECASE,
    )
    pages = [(name, text) for name, text in read_pages(".html") if name.startswith("src/courseway/")]
    assert pages
    assert not [name for name, text in pages if inline.search(text)]


def test_secrets_of_the_tests_are_the_only_ones() -> None:
    """No file holds a private key."""
    marker = "PRIVATE" + " KEY-----"
    found = [name for name, text in read_texts() if marker in text and not name.startswith("tests/")]
    assert not found


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md", "docs/operations.md", "CONTRIBUTING.md"])
def test_links_of_documents_lead_somewhere(name: str) -> None:
    """Every relative link of a document names a file that is there."""
    page = ROOT / name
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert targets or name == "docs/operations.md"
    assert not [target for target in targets if not (page.parent / target).exists()]
