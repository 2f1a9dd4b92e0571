"""A guide as a document, for readers who have not signed in: the same words, with an example's addresses."""

from __future__ import annotations

from typing import Final

from courseway.lms.assignment_urls import write_parameters
from courseway.lms.guide_parts import Given, Guide
from courseway.lms.guide_terms import NEW_TERM, SWITCHES
from ltikit import vocabulary

EXAMPLE: Final = "https://courses.example.edu"
# What stands in a document in the place of an installation's values.
EXAMPLE_VALUES: Final = {
    Given.KEY: "the LTI Consumer of your key",
    Given.SECRET: "the LTI Secret of your key",
    Given.XML_URL: f"{EXAMPLE}/lti/config.xml?key=…",
    Given.LAUNCH_URL: f"{EXAMPLE}/lti/launch",
    Given.LOGIN_URL: f"{EXAMPLE}/lti/login",
    Given.REDIRECT_URL: f"{EXAMPLE}/lti/launch",
    Given.KEYSET_URL: f"{EXAMPLE}/lti/keys",
    Given.SELECTION_URL: f"{EXAMPLE}/lti/resource_selection",
    Given.CANVAS_JSON_URL: f"{EXAMPLE}/lti/canvas.json",
    Given.DOMAIN: "courses.example.edu",
    Given.COURSE_VARIABLES: write_parameters(vocabulary.COURSE_VARIABLES),
}
_WHERE: Final = (
    "The same guide stands in the product, with the real values of your installation to copy and a checklist that "
    "ticks itself: your name at the bottom left → **Organizations** → the organization → **LTI integrations**."
)


def write_guide(guide: Guide) -> str:
    """The guide in Markdown."""
    lines = [f"# {guide.name}", ""]
    if guide.about:
        lines += [str(guide.about), ""]
    lines += [_WHERE, ""]
    for number, step in enumerate(guide.steps, start=1):
        lines.append(f"{number}. *{step.who.words}:* {step.text}")
        if step.values:
            lines += ["", "   | their field | value |", "   |---|---|"]
            shown = [(label, EXAMPLE_VALUES[given].replace("\n", "`<br>`")) for given, label in step.values]
            lines += [f"   | {label} | `{value}` |" for label, value in shown]
            lines.append("")
    if guide.known:
        lines += ["", "The same for every installation of this LMS:", "", "| our field | value |", "|---|---|"]
        lines += [f"| {name.replace('_', ' ')} | `{value}` |" for name, value in guide.known.items()]
    lines += ["", "## For a new term", "", f"- {SWITCHES}", *(f"- {one}" for one in NEW_TERM[guide.key])]
    if guide.notes:
        lines += ["", "## Good to know", "", *(f"- {note}" for note in guide.notes)]
    text = "\n".join(lines).rstrip() + "\n"
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
