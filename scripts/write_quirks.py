"""Writes docs/quirks.md from `ltikit.quirks` and the tests that name a quirk: `make quirks`."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "quirks.md"
HEAD = """# Quirks of LMSs

What each LMS does differently from what the specifications let one expect, where that was seen, and how Courseway and
`ltikit` deal with it: either by a test that names the number, or by the reason why it cannot touch us. This page is
written by `make quirks` from `ltikit/quirks.py` and the tests; edit those. Numbers are stable.
"""


def find_tests(root: Path = ROOT) -> dict[str, list[str]]:
    """The tests that name each number by `@pytest.mark.quirk`, as path::name, in a fixed order."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, "decorator_list", []):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.quirk":
                    for number in decorator.args:
                        found[ast.literal_eval(number)].append(f"{path.relative_to(root).as_posix()}::{node.name}")
    return found


def write_page(tests: dict[str, list[str]]) -> str:
    """The whole page."""
    from ltikit.quirks import ANY_LMS, PROFILES

    lines = [HEAD]
    for profile in (*PROFILES, ANY_LMS):
        lines.append(f"## {profile.title}\n")
        for quirk in profile.quirks:
            lines.append(f"**{quirk.number}.** {quirk.does} *({quirk.source})*  ")
            if quirk.harmless:
                lines.append(f"Cannot touch us: {quirk.harmless}  ")
            else:
                lines.append(f"{quirk.handling}  ")
            for test in tests.get(quirk.number, []):
                path, _, name = test.partition("::")
                lines.append(f"[`{name}`](../{path})  ")
            lines[-1] = lines[-1].rstrip()
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    PAGE.write_text(write_page(find_tests()))
