"""A course as a Common Cartridge: one link for each published assignment, and what remains to be done in each LMS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Course, Module
from courseway.lms.assignment_urls import LinkableAssignment, list_linkable_assignments
from ltikit.cartridge.course import CartridgeCourse, CartridgeLink, CartridgeModule
from ltikit.cartridge.manifest import LinkFormat, Profile
from ltikit.cartridge.package import build_cartridge
from ltikit.parameters import add_custom_parameters

VENDOR_NAME: Final = "Courseway"
VENDOR_CODE: Final = "courseway"
# Offered in this order; the first is right for most.
PROFILES: Final[dict[str, tuple[Profile, Promise]]] = {
    "1.3": (Profile.COMMON_1_3, _("Common Cartridge 1.3 (most LMSs)")),
    "thin": (Profile.THIN_1_3, _("Thin Common Cartridge 1.3")),
    "1.1": (Profile.COMMON_1_1, _("Common Cartridge 1.1 (Moodle)")),
}
LINK_FORMATS: Final[dict[str, tuple[LinkFormat, Promise]]] = {
    "1.0": (LinkFormat.LTI_1_0, _("LTI 1.0 format (every LMS)")),
    "1.3": (LinkFormat.LTI_1_3, _("LTI 1.3 format")),
}


class CartridgeChoiceError(ValueError):
    """A combination that the formats do not have; the text says which one to take."""


@dataclass(frozen=True, slots=True)
class Cartridge:
    content: bytes
    file_name: str
    link_count: int


@dataclass(frozen=True, slots=True)
class ImportSteps:
    """What remains to be done in one LMS after the export."""

    lms: str
    profile: str
    steps: tuple[Promise, ...]


IMPORT_STEPS: Final = (
    ImportSteps(
        "Canvas",
        "1.3",
        (
            _("Install this tool first, so that the links find it."),
            _("Course → Settings → Import Course Content → Common Cartridge 1.x Package; choose the file, Import."),
            _("Each assignment arrives with its points. Open each one, check Submission Type: External Tool, and map "
              "it with Find where Canvas shows it without a tool."),
        ),
    ),
    ImportSteps(
        "Moodle",
        "1.1",
        (
            _("Choose Common Cartridge 1.1 above: Moodle reads nothing newer."),
            _("An administrator sets up this tool as an External tool first."),
            _("Course → More → Course reuse → Restore; upload the file (Import does not take it)."),
            _("Open one activity: the teacher's view of the assignment must appear."),
        ),
    ),
    ImportSteps(
        "Brightspace",
        "1.3",
        (
            _("An administrator sets up this tool first."),
            _("Course Admin → Import / Export / Copy Components → Import Components."),
            _("The links appear under External Learning Tools. Add each one as an activity where students shall find "
              "it, and give it a grade item."),
        ),
    ),
    ImportSteps(
        "Blackboard",
        "1.3",
        (
            _("An administrator registers this tool first; links find it by its domain."),
            _("Course → Import Content; choose the file. Each link becomes a content item; switch grading on where "
              "you want a column."),
        ),
    ),
    ImportSteps(
        "Schoology",
        "thin",
        (
            _("Install this tool first."),
            _("Course materials → Options → Import file → Common Cartridge. Check each link's tool provider, and its "
              "points."),
        ),
    ),
    ImportSteps(
        "Sakai",
        "1.3",
        (
            _("Install this tool first."),
            _("Lessons → More tools → Import Common Cartridge; choose the file."),
        ),
    ),
)  # fmt: skip


def export_cartridge(course: Course, *, profile: str = "1.3", link_format: str = "1.0") -> Cartridge:
    """The file for an LMS to import. Names of `PROFILES` and `LINK_FORMATS`; the same course gives the same bytes.

    Raises CartridgeChoiceError.
    """
    if profile not in PROFILES or link_format not in LINK_FORMATS:
        raise CartridgeChoiceError(
            _("There are the cartridges %(profiles)s and the links %(formats)s.")
            % {"profiles": ", ".join(PROFILES), "formats": ", ".join(LINK_FORMATS)}
        )
    chosen, links_as = PROFILES[profile][0], LINK_FORMATS[link_format][0]
    if chosen is Profile.COMMON_1_1 and links_as is not LinkFormat.LTI_1_0:
        raise CartridgeChoiceError(_("Common Cartridge 1.1 knows links of the LTI 1.0 format only; choose that one."))
    linkable = list_linkable_assignments(course)
    content = build_cartridge(
        _describe(course, linkable, names_course_in_url=chosen is Profile.COMMON_1_1),
        vendor_name=VENDOR_NAME,
        vendor_code=VENDOR_CODE,
        profile=chosen,
        link_format=links_as,
    )
    return Cartridge(content, f"course-{course.public_id}.imscc", len(linkable))


def _describe(course: Course, linkable: list[LinkableAssignment], *, names_course_in_url: bool) -> CartridgeCourse:
    """Modules without anything to link are left out. Moodle drops parameters, so the URL has to carry them there."""
    by_module: dict[Module, list[CartridgeLink]] = {}
    for one in linkable:
        link = CartridgeLink(
            id=one.assignment.public_id,
            title=one.assignment.title,
            url=add_custom_parameters(one.url, one.custom) if names_course_in_url else one.url,
            points=one.assignment.points,
            custom=one.custom,
        )
        by_module.setdefault(one.assignment.module, []).append(link)
    modules = tuple(
        CartridgeModule(id=str(module.pk), title=module.title, links=tuple(links))
        for module, links in by_module.items()
    )
    return CartridgeCourse(id=course.public_id, title=course.title, modules=modules)
