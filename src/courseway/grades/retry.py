"""What happens after a try that failed: a table, from the kind of failure to the state shown and the next try.

Nothing here looks at a row or a clock. `tries` counts the tries of the wanted value, this one included.
"""

from __future__ import annotations

from dataclasses import dataclass

from courseway.grades.models import Delivery

WAITING, FAILED, NEEDS_TEACHER = Delivery.State.WAITING, Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LONGEST_RETRY_AFTER = DAY


@dataclass(frozen=True, slots=True)
class Rule:
    """`state` is shown while tries go on: first after `first_seconds`, then doubled each time up to `longest_seconds`.

    After `most_tries` there is no further one, and `final_state` stays. 1 means that the first failure is final.
    """

    state: Delivery.State
    final_state: Delivery.State
    first_seconds: float = 5.0
    longest_seconds: float = 6 * HOUR
    most_tries: int = 24


# Passing troubles: about three days in all.
_PASSING = Rule(WAITING, FAILED)
# Somebody has to change something, here or in the LMS. It is tried now and then, in case they did without telling us.
_OWNER = Rule(FAILED, FAILED, first_seconds=10 * MINUTE, most_tries=14)
_TEACHER = Rule(NEEDS_TEACHER, NEEDS_TEACHER, first_seconds=30 * MINUTE, longest_seconds=DAY, most_tries=6)

RULES: dict[str, Rule] = {
    # The LMS or the way to it is down.
    "service_unavailable": _PASSING,
    "no_answer": _PASSING,
    "answer_too_large": _PASSING,
    "internal_error": _PASSING,
    # The LMS asked to slow down: patiently, and long.
    "service_rate_limited": Rule(WAITING, FAILED, longest_seconds=15 * MINUTE, most_tries=300),
    # A later timestamp may be what is missing (Moodle counts whole seconds), or the LMS holds a newer grade.
    "service_conflict": Rule(WAITING, FAILED, first_seconds=1.1, longest_seconds=2 * MINUTE, most_tries=8),
    # Keys, scopes, networks: an owner or an administrator.
    "service_unauthorized": _OWNER,
    "service_forbidden": _OWNER,
    "address_refused": _OWNER,
    "no_grade_service": _OWNER,
    "secret_unreadable": _OWNER,
    "platform_revoked": Rule(FAILED, FAILED, most_tries=1),
    "unsupported_operation": Rule(FAILED, FAILED, most_tries=1),
    # The gradebook: a teacher.
    "not_published": Rule(
        NEEDS_TEACHER, NEEDS_TEACHER, first_seconds=5 * MINUTE, longest_seconds=3 * HOUR, most_tries=120
    ),
    "person_not_gradable": _TEACHER,
    "service_rejected": _TEACHER,
    "service_not_found": _TEACHER,
    "no_line_item": _TEACHER,
    "line_item_gone": _TEACHER,
    "never_arrived": _TEACHER,
    # Not failures of a try: what was read back from the LMS. Nothing is sent before a teacher decides.
    "changed_in_lms": Rule(NEEDS_TEACHER, NEEDS_TEACHER, most_tries=1),
    "missing_in_lms": Rule(NEEDS_TEACHER, NEEDS_TEACHER, most_tries=1),
}
HELD_CODES = frozenset(("changed_in_lms", "missing_in_lms"))
_OTHER = _PASSING
# No next try of a failure lies further ahead.
LONGEST_WAIT = 1.25 * max(rule.longest_seconds for rule in RULES.values())
# What an owner or an operator has to mend, not a teacher.
OWNERS_CODES = frozenset(code for code, rule in RULES.items() if rule is _OWNER)


@dataclass(frozen=True, slots=True)
class Next:
    """`seconds` until the next try, None for none. Before `not_before_seconds` not even a newer value is sent."""

    state: Delivery.State
    seconds: float | None
    not_before_seconds: float | None = None


def decide_next(code: str, *, tries: int, retry_after: float | None, jitter: float) -> Next:
    """What to do after the failure `code`. `jitter`, 0 to 1, spreads tries that failed together."""
    rule = RULES.get(code, _OTHER)
    if tries >= rule.most_tries:
        return Next(rule.final_state, None)
    wait = min(rule.longest_seconds, rule.first_seconds * 2.0 ** min(tries - 1, 40))
    wait *= 0.75 + 0.5 * jitter if wait > 2 else 1 + jitter / 4
    if retry_after is None:
        return Next(rule.state, wait)
    asked = min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)
    return Next(rule.state, max(wait, asked), asked)
