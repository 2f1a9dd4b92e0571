"""What a launch says about a person and a course in either version, where LMSs differ."""

from urllib.parse import quote_plus

from practice_lms.profiles import Profile
from practice_lms.scene import LaunchScene


def list_sourcedids(scene: LaunchScene) -> dict[str, str]:
    """The SIS ids of the course, by the place (offering, section) where this LMS puts them."""
    if scene.course is None:
        return {}
    places = scene.profile.sourcedid_places
    values = {"offering": scene.course.sourcedid, "section": scene.course.section_sourcedid}
    if places == ("section",):
        values["section"] = values["section"] or values["offering"]
    known = {place: values[place] for place in places}
    # A Canvas leaves out in LTI 1.1, and sends the variable's name in LTI 1.3, what has no value (C4).
    if not scene.profile.has("C4"):
        return known
    if scene.tool.version == "1.1":
        return {place: value for place, value in known.items() if value}
    return {place: value or f"$Course{place.title()}.sourcedId" for place, value in known.items()}


def list_mentees(scene: LaunchScene) -> tuple[str, ...] | None:
    """Whom an observer observes; nothing when this launch does not say so.

    A Moodle knows no observers, and a Canvas says nothing when nobody is linked (C48).
    """
    if scene.membership is None or scene.role != "observer" or scene.profile.name == "moodle":
        return None
    mentees = scene.membership.mentor_for
    return None if not mentees and scene.profile.has("C48") else mentees


def encode_name(profile: Profile, name: str) -> str:
    """A name; an Open edX encodes it as for a URL (O6)."""
    return quote_plus(name) if profile.has("O6") else name
