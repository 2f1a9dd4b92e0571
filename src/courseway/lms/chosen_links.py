"""What was chosen, as links that the LMS makes: address, parameters, column and window."""

from __future__ import annotations

from typing import Final

from courseway.courses.models import Assignment
from courseway.lms.addresses import custom_parameters, integration_url
from ltikit.content_items import NEW_TAB, FrameSize, LineItemOffer, ResourceLinkItem

COLUMN_TAG: Final = "grade"
"""The tag of every column that we offer or make; with the content's id it tells a column that came with a copy."""


def build_link(
    assignment: Assignment, *, makes_column: bool, opens_in_frame: bool, tells_size: bool = True
) -> ResourceLinkItem:
    """The link of one assignment, as its course is set. `tells_size` names the frame's size for a new tab, too.

    The parameters repeat what the address says, in ids that mean the same in a copy of the LMS course, for LMSs that
    keep one and drop the other. Where grades never go out no column is offered (F4).
    """
    course = assignment.course
    opens_in_frame = opens_in_frame or course.open_in_frame
    custom = {"assignment_id": assignment.public_id}
    if course.constant_urls:
        custom = {"content_id": assignment.content_id, **custom_parameters(course)}
    column = LineItemOffer(
        score_maximum=assignment.points,
        label=assignment.title,
        resource_id=assignment.content_id,
        tag=COLUMN_TAG,
        is_reviewable=True,
    )
    return ResourceLinkItem(
        url=integration_url(assignment, course),
        title=assignment.title,
        custom=custom,
        line_item=column if makes_column and not course.enroll_only else None,
        iframe=FrameSize(course.iframe_width, course.iframe_height) if opens_in_frame or tells_size else None,
        window_target="" if opens_in_frame else NEW_TAB,
    )
