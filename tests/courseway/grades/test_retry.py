from __future__ import annotations

from itertools import pairwise

import pytest

from courseway.grades.models import Delivery
from courseway.grades.reasons import REASONS
from courseway.grades.retry import DAY, HOUR, LONGEST_RETRY_AFTER, RULES, decide_next
from ltikit import errors

WAITING, FAILED, NEEDS_TEACHER = Delivery.State.WAITING, Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER

# code, state shown after the first failure, whether it is tried again, state after the last try
TABLE = [
    ("service_unavailable", WAITING, True, FAILED),
    ("no_answer", WAITING, True, FAILED),
    ("answer_too_large", WAITING, True, FAILED),
    ("internal_error", WAITING, True, FAILED),
    ("service_rate_limited", WAITING, True, FAILED),
    ("service_conflict", WAITING, True, FAILED),
    ("service_unauthorized", FAILED, True, FAILED),
    ("service_forbidden", FAILED, True, FAILED),
    ("address_refused", FAILED, True, FAILED),
    ("no_grade_service", FAILED, True, FAILED),
    ("secret_unreadable", FAILED, True, FAILED),
    ("platform_revoked", FAILED, False, FAILED),
    ("unsupported_operation", FAILED, False, FAILED),
    ("not_published", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("person_not_gradable", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("service_rejected", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("service_not_found", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("no_line_item", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("line_item_gone", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("never_arrived", NEEDS_TEACHER, True, NEEDS_TEACHER),
    ("changed_in_lms", NEEDS_TEACHER, False, NEEDS_TEACHER),
    ("missing_in_lms", NEEDS_TEACHER, False, NEEDS_TEACHER),
]


@pytest.mark.quirk("C17")
@pytest.mark.parametrize(("code", "state", "is_tried_again", "final_state"), TABLE)
def test_each_kind_of_failure(code: str, state: str, is_tried_again: bool, final_state: str) -> None:
    """Which state a failure shows, whether it is tried again, and where it ends when it never gets better."""
    first = decide_next(code, tries=1, retry_after=None, jitter=0.5)
    assert (first.state, first.seconds is not None) == (state, is_tried_again)
    last = decide_next(code, tries=1000, retry_after=None, jitter=0.5)
    assert (last.state, last.seconds) == (final_state, None)


def test_the_tables_are_complete() -> None:
    """Every error that a service of a platform can raise has its rule and its words for people, and no other has."""
    raised = {
        one.code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.ServiceError) and one is not errors.ServiceError
    }
    assert raised <= set(RULES)
    assert set(RULES) == {row[0] for row in TABLE} == set(REASONS)


@pytest.mark.parametrize("code", ["service_unavailable", "no_answer"])
def test_an_lms_that_is_down_is_tried_for_days(code: str) -> None:
    """The waits double up to six hours, spread by chance, and together last between two and five days."""
    waits = []
    for tries in range(1, 100):
        following = decide_next(code, tries=tries, retry_after=None, jitter=0.5)
        if following.seconds is None:
            break
        waits.append(following.seconds)
    assert waits[0] <= 10
    assert all(later >= earlier for earlier, later in pairwise(waits))
    assert max(waits) == 6 * HOUR
    assert 2 * DAY < sum(waits) < 5 * DAY


def test_chance_spreads_tries_that_failed_together() -> None:
    """A thousand grades that failed at once do not come back at once."""
    waits = [
        decide_next("no_answer", tries=4, retry_after=None, jitter=jitter / 10).seconds or 0 for jitter in range(11)
    ]
    assert waits == sorted(waits)
    assert max(waits) - min(waits) >= 0.4 * waits[5]


def test_the_lms_says_how_long_to_wait() -> None:
    """Retry-After is kept when it is longer than our own wait, and binds newer values too; within reason."""
    following = decide_next("service_rate_limited", tries=1, retry_after=120, jitter=0)
    assert (following.seconds, following.not_before_seconds) == (120, 120)
    following = decide_next("service_rate_limited", tries=1, retry_after=0, jitter=0)
    assert following.seconds is not None
    assert following.seconds > 2
    following = decide_next("service_unavailable", tries=1, retry_after=10**9, jitter=0)
    assert following.not_before_seconds == LONGEST_RETRY_AFTER


def test_a_conflict_is_tried_again_after_more_than_a_second() -> None:
    """Moodle counts whole seconds, so the next timestamp must be of another one."""
    following = decide_next("service_conflict", tries=1, retry_after=None, jitter=0)
    assert following.seconds is not None
    assert 1 < following.seconds < 3


def test_an_unknown_kind_of_failure_is_tried_again() -> None:
    """A code that the table does not know is treated as a passing trouble rather than as an end."""
    following = decide_next("something_new", tries=1, retry_after=None, jitter=0.5)
    assert following.state == WAITING
    assert following.seconds is not None
