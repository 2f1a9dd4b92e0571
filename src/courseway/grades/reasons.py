"""Why a grade did not reach the LMS, in words for those who can do something about it. Keys as in retry.RULES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Reason:
    title: _StrPromise
    remedy: _StrPromise


_AGAIN = _("It is tried again by itself.")

REASONS: dict[str, Reason] = {
    "service_unavailable": Reason(_("The LMS had a fault of its own"), _AGAIN),
    "no_answer": Reason(_("The LMS did not answer"), _AGAIN),
    "answer_too_large": Reason(_("The answer of the LMS was far too long"), _AGAIN),
    "internal_error": Reason(
        _("A fault on our side"), _("It is tried again by itself, and stands in the server's log.")
    ),
    "service_rate_limited": Reason(_("The LMS asked to slow down"), _AGAIN),
    "service_conflict": Reason(
        _("The LMS holds a newer grade"), _("Somebody may have changed it there. Send it again to replace that.")
    ),
    "service_unauthorized": Reason(
        _("The LMS did not accept our credentials"),
        _("Compare key and secret, or client ID and keyset URL, with those under LTI integrations; then send again."),
    ),
    "service_forbidden": Reason(
        _("The LMS does not let this tool write grades"),
        _("An LMS administrator switches the grade service (AGS) on for this tool; then send again."),
    ),
    "address_refused": Reason(
        _("The address of the LMS must not be asked"),
        _("It leads to a private network, or does not begin with https://. The operator of this server can allow it."),
    ),
    "no_grade_service": Reason(
        _("The LMS did not offer to take grades"),
        _("Give the link points in the LMS, open it once as the student, then send again."),
    ),
    "secret_unreadable": Reason(
        _("A stored secret cannot be read"),
        _("COURSEWAY_SECRET_KEY was changed without keeping the old key. Put it back, then send again."),
    ),
    "platform_revoked": Reason(
        _("The connection was revoked"),
        _("Take it back under LTI integrations; these grades then follow by themselves."),
    ),
    "unsupported_operation": Reason(
        _("The LMS does not offer this"), _("It takes no grades for this link, or cannot take one back.")
    ),
    "not_published": Reason(
        _("Not published in the LMS yet"),
        _("The LMS takes grades only for published assignments and courses. Publish it; it is tried again by itself."),
    ),
    "person_not_gradable": Reason(
        _("The LMS does not grade this person"),
        _("Is the person still enrolled there, as a student? If so, let them open the link once more."),
    ),
    "service_rejected": Reason(
        _("The LMS refused the grade"), _("Its own words say why. Once that is mended, send again.")
    ),
    "service_not_found": Reason(
        _("The address for the grade is gone"),
        _("Open the link once more from the LMS, so that it tells the new one; then send again."),
    ),
    "no_line_item": Reason(
        _("There is no column in the gradebook"), _("Give the link points in the LMS, open it once, then send again.")
    ),
    "line_item_gone": Reason(
        _("The column was deleted in the LMS"),
        _("Deleting it may have been meant, so no new one is made by itself. Say whether one should be made."),
    ),
    "never_arrived": Reason(
        _("This person did not come through this link"), _("Let them open the link in the LMS; then send again.")
    ),
    "changed_in_lms": Reason(
        _("The LMS holds another grade"),
        _("Somebody changed it there. Nothing is sent until a teacher decides: send ours, or keep the one of the LMS."),
    ),
    "missing_in_lms": Reason(
        _("The grade is not in the LMS any more"),
        _("Somebody may have cleared it there. Nothing is sent until a teacher decides: send ours, or leave it so."),
    ),
}

_OTHER = Reason(_("The grade did not arrive"), _("The words of the LMS say why."))


def explain(code: str) -> Reason:
    return REASONS.get(code, _OTHER)
