"""What the LMS sent, as the launch log shows it: names of everything, values of nobody (`parameters.mask_message`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from courseway.lms.models import Launch


@dataclass(frozen=True, slots=True)
class SentValue:
    """One line: the whole path of a claim, or the name of a parameter, and its value as text."""

    name: str
    value: str


def list_sent_values(launch: Launch) -> list[SentValue]:
    """The lines of the message, in the order sent; [] where it was not kept."""
    try:
        message = json.loads(launch.message) if launch.message else {}
    except ValueError:
        return []
    return list(_flatten("", message))


def find_same_message(launch: Launch) -> Launch | None:
    """The launch that told what this one only repeated: a returning person's message is kept once."""
    if launch.message or launch.person_id is None or launch.outcome != Launch.Outcome.OK:
        return None
    earlier = Launch.objects.filter(person=launch.person_id, platform=launch.platform_id, pk__lt=launch.pk)
    earlier = earlier.filter(course=launch.course_id, assignment=launch.assignment_id, outcome=Launch.Outcome.OK)
    return earlier.exclude(message="").order_by("-pk").first()


def _flatten(path: str, value: Any) -> Iterator[SentValue]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flatten(f"{path} › {name}" if path else name, inner)
    elif isinstance(value, list) and value and not any(isinstance(one, dict | list) for one in value):
        yield SentValue(path, "\n".join(_say(one) for one in value))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value, 1):
            yield from _flatten(f"{path} › {place}", inner)
    elif path:
        yield SentValue(path, _say(value))


def _say(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
