"""The launch log as owners read it: found by what they have in hand, explained step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from courseway.lms import refusals
from courseway.lms.models import Launch
from courseway.orgs.models import Organization
from ltikit.errors import LtiError

# In the order in which a launch goes through them; the first words of each say what is looked at.
_STEPS: Final[dict[str, tuple[str | Promise, tuple[str, ...]]]] = {
    "login": (_("Sign-in begun: the LMS names itself and its client ID"), ("1.3",)),
    "read": (_("Message read: it is complete and well-formed"), ("1.1", "1.3")),
    "state": (_("Browser recognised: the sign-in was begun here a moment ago"), ("1.3",)),
    "platform": (_("LMS known: its key or registration is in use here"), ("1.1", "1.3")),
    "signature": (_("Signature, time and contents verified"), ("1.1", "1.3")),
    "deployment": (_("Deployment: it belongs to an organization here"), ("1.3",)),
    "target": (_("Target: the address belongs to this installation"), ("1.1", "1.3")),
    "person": (_("Person may come in this role"), ("1.1", "1.3")),
    "resolve": (_("Assignment found, and open"), ("1.1", "1.3")),
    "arrive": (_("Person, course and link recorded"), ("1.1", "1.3")),
}


@dataclass(frozen=True, slots=True)
class Step:
    words: str | Promise
    state: str  # ok, refused, waiting, not_started


def list_launches(organization: Organization, *, text: str = "", outcome: str = "") -> QuerySet[Launch]:
    """The newest first. `text` is looked for in references, names, e-mails, LMS courses, codes and LMS names."""
    launches = Launch.objects.filter(organization=organization).select_related(
        "platform", "context", "person", "course", "assignment"
    )
    if outcome in Launch.Outcome.values:
        launches = launches.filter(outcome=outcome)
    if text := text.strip():
        launches = launches.filter(
            Q(reference=text.lower())
            | Q(person__name__icontains=text)
            | Q(person__email__icontains=text)
            | Q(lms_context_id__icontains=text)
            | Q(context__title__icontains=text)
            | Q(code__icontains=text)
            | Q(platform__name__icontains=text)
            | Q(course__title__icontains=text)
        )
    return launches.order_by("-pk")


def list_steps(launch: Launch) -> list[Step]:
    """What was looked at, as far as the launch came."""
    names = [name for name, (_words, versions) in _STEPS.items() if launch.version in versions or not launch.version]
    # Steps that most launches do not have: they are told where a launch ended in them.
    is_refused = launch.outcome == Launch.Outcome.REFUSED
    names = [
        name for name in names if name not in ("login", "deployment", "person") or (is_refused and launch.step == name)
    ]
    if launch.outcome == Launch.Outcome.OK or launch.step not in names:
        reached = len(names) if launch.outcome == Launch.Outcome.OK else 0
    else:
        reached = names.index(launch.step)
    return [
        Step(_STEPS[name][0], "ok" if place < reached else launch.outcome if place == reached else "not_started")
        for place, name in enumerate(names)
    ]


def is_after(step: str, other: str) -> bool:
    """Whether a launch that failed in `step` had come past the other one."""
    names = [*_STEPS]
    return step not in names or names.index(step) > names.index(other)


def hint_of(code: str) -> str:
    """What to do about a refusal, "" for a code that is not known any more."""
    return next((error.hint for error in _all_errors(LtiError) if error.code == code), "")


def _all_errors(error: type[LtiError]) -> Iterator[type[LtiError]]:
    yield error
    for narrower in error.__subclasses__():
        yield from _all_errors(narrower)


# Importing the refusals is what makes their codes known to `hint_of`.
KNOWN_REFUSALS: Final = refusals
