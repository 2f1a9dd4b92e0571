"""Writes docs/ltikit/errors.md and docs/ltikit/modules.md from the code; `make quirks` runs it too."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "ltikit" / "errors.md"
MODULES = ROOT / "docs" / "ltikit" / "modules.md"
MODULES_HEAD = """# Modules

What is in which module; the docstrings say the rest: shapes, units, errors and the clause that it follows. This page is
written from the code by `make quirks`.
"""
HEAD = """# Errors

Every refusal is a subclass of `ltikit.LtiError`. `code` never changes: logs and other programs count on it. `status` is
the HTTP status to answer with, `hint` tells the person who can mend it what to do, `detail` is for the log and holds no
secret; `return_url` is the way back to the LMS, set only when the message was correctly signed. This page is written
from the code by `make quirks`.
"""


def list_errors() -> list[type]:
    """Every error class, each after the one that it is a kind of."""
    from ltikit.errors import LtiError

    found: list[type] = []

    def add(kind: type) -> None:
        for one in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
            if one.__module__ == "ltikit.errors":
                found.append(one)
                add(one)

    add(LtiError)
    return found


def write_page() -> str:
    """The whole page."""
    lines = [HEAD, "| code | status | class | kind of | hint |", "|---|---|---|---|---|"]
    for kind in list_errors():
        row = (f"`{kind.code}`", str(kind.status), f"`{kind.__name__}`", f"`{kind.__base__.__name__}`", kind.hint)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def write_modules() -> str:
    """Each public module with the first sentence of its docstring and its public functions."""
    lines = [MODULES_HEAD]
    source = ROOT / "src" / "ltikit"
    for path in sorted(source.rglob("*.py")):
        tree = ast.parse(path.read_text())
        dotted = ".".join(("ltikit", *path.relative_to(source).with_suffix("").parts))
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
        words = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
        if path.name == "__init__.py" or path.stem == "errors" or "lms_quirks" in dotted:
            continue
        lines.append(f"**`{dotted}`**: {words}  ")
        lines.append(", ".join(f"`{name}`" for name in (*classes, *functions)) + "\n")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    PAGE.write_text(write_page())
    MODULES.write_text(write_modules())
