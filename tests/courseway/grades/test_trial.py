"""A test score that cannot be sent says why, in words for whoever typed the command."""

from __future__ import annotations

from decimal import Decimal

import pytest

from courseway.grades.exchange import DeliveryError
from courseway.grades.trial import send_test_score
from courseway.lms.models import Platform, ResourceLink
from ltikit import vocabulary
from tests.cast import Cast
from tests.courseway.grades.links import NOW, place_v11, place_v13


def send(platform: Platform, context_id: str | None = None) -> None:
    send_test_score(platform, user_id="user-1", context_id=context_id, percent=Decimal(50), keep=False, now=NOW)


def test_lti_11_has_no_column_to_try(cast: Cast) -> None:
    """A replaceResult would overwrite somebody's grade: by LTI 1.1 no test score is sent."""
    placed = place_v11(cast.operators)
    with pytest.raises(DeliveryError, match=r"LTI 1\.1"):
        send(placed.platform)


def test_a_link_with_a_grade_service_is_needed(cast: Cast) -> None:
    """Without a link that allows columns, or in a course without one, nothing is sent and the reason is said."""
    placed = place_v13(cast.operators)
    with pytest.raises(DeliveryError, match="Open a link there first"):
        send(placed.platform, "another-course")
    ResourceLink.objects.update(ags_scopes=vocabulary.SCOPE_SCORE)
    with pytest.raises(DeliveryError, match="Open a link there first"):
        send(placed.platform)
