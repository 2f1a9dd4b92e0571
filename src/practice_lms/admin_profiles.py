"""The administrator's page of profiles: which LMS is imitated, and which of its quirks are on."""

from sqlite3 import Connection

from django.http import HttpRequest, HttpResponse

from practice_lms.admin import Act, Form, answer_admin
from practice_lms.courses import list_courses
from practice_lms.database import database
from practice_lms.profiles import (
    PROFILES_BY_NAME,
    Profile,
    check_profile,
    list_profiles,
    read_installation_profile,
    reset_quirks,
    switch_quirks,
    use_profile,
)
from practice_lms.quirks import AREAS, QUIRKS
from practice_lms.refusals import RefusedError
from practice_lms.tools import list_tools


def show_profiles(request: HttpRequest) -> HttpResponse:
    """Profiles, where they are used, and their quirks."""
    with database().transaction() as db:
        used = read_installation_profile(db)
        shown = request.GET.get("profile", used)
        if shown not in PROFILES_BY_NAME:
            raise RefusedError(f"There is no profile {shown!r}.", 404)
        profiles = {one.name: one for one in list_profiles(db)}
        context = {
            "profiles": list(profiles.values()),
            "used": used,
            "shown": profiles[shown],
            "areas": _list_areas(profiles[shown]),
            "courses": list_courses(db),
            "tools": list_tools(db),
            "at": "profiles",
        }
    acts: dict[str, Act] = {"use": _use_profile, "switch": _switch_quirks, "reset": _reset}
    return answer_admin(request, "admin_profiles.html", lambda: context, acts)


def _list_areas(profile: Profile) -> list[tuple[str, list[dict[str, object]]]]:
    """The quirks that a profile has, by what they touch."""
    areas: dict[str, list[dict[str, object]]] = {area: [] for area in AREAS}
    for quirk in QUIRKS:
        if profile.name in quirk.offered_in:
            is_usual = profile.name in quirk.on_in
            areas[quirk.area].append({"quirk": quirk, "is_on": profile.has(quirk.number), "is_usual": is_usual})
    return [(area, quirks) for area, quirks in areas.items() if quirks]


def _use_profile(db: Connection, form: Form) -> str:
    """The three choices of the page in one form: the place names what is set."""
    kind, _, row_id = form.get("place", "").partition(":")
    name = form.get("profile", "")
    if kind not in ("installation", "course", "tool"):
        raise RefusedError("Say where the profile is to be used.")
    use_profile(db, name, **({f"{kind}_id": row_id} if row_id else {}))
    title = PROFILES_BY_NAME[name].title if name else "what stands above it"
    return f"Behaves like {title} from now on"


def _switch_quirks(db: Connection, form: Form) -> str:
    name = check_profile(form.get("profile", ""))
    wishes = {
        quirk.number: form.get(f"quirk_{quirk.number}") == "on"
        for quirk in QUIRKS
        if name in quirk.offered_in and not quirk.is_fixed
    }
    switch_quirks(db, name, wishes)
    return "Saved"


def _reset(db: Connection, form: Form) -> str:
    reset_quirks(db)
    return "Every quirk is as it was at first"
