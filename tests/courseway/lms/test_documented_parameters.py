"""docs/courses.md names what links may say."""

from __future__ import annotations

import re
from pathlib import Path

from ltikit import vocabulary
from ltikit.parameters import ALIASES
from tests.test_access_sweep import list_routes

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "courses.md").read_text(encoding="utf-8")


def test_every_parameter_is_documented() -> None:
    """Whatever custom parameter the program reads, the page for teachers names."""
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").glob("[cl]*/**/*.py"))
    read = set(re.findall(r"\.custom(?:_lists)?\.get\(\s*\"([a-z_]+)\"", source))
    assert len(read) >= 9
    wanted = read | set(ALIASES) | set(vocabulary.COURSE_VARIABLES) - {"course_section_sourcedid"}
    assert not {name for name in wanted if f"`{name}`" not in DOCUMENT}


def test_every_launch_address_is_documented() -> None:
    """Each address that takes launches stands in the table."""
    no_links = ("lti/login", "lti/continue", "lti/kept", "lti/keys", "lti/notices", "lti/register/")
    no_links += ("lti/config.xml", "lti/canvas.json")
    links = {re.sub(r"<.*", "", route) for route in list_routes() if route.startswith("lti/")}
    launches = {route for route in links if not route.startswith(no_links)}
    assert len(launches) >= 7
    assert not {route for route in launches if f"`/{route}" not in DOCUMENT}
