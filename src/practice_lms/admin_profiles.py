"""The administrator's page of profiles: which LMS is imitated, and which of its quirks are on."""

from sqlite3 import Connection

from django.http import HttpRequest, HttpResponse

from practice_lms.admin import Form, answer_admin
from practice_lms.courses import list_courses
from practice_lms.database import database
from practice_lms.profiles import (
    PROFILES_BY_NAME,
    check_profile,
    list_profiles,
    read_installation_profile,
    reset_quirks,
    switch_quirks,
    use_profile,
)
from practice_lms.quirks import QUIRKS
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
            "quirks": [
                {"quirk": quirk, "is_on": profiles[shown].has(quirk.number), "is_usual": shown in quirk.on_in}
                for quirk in QUIRKS
                if shown in quirk.offered_in
            ],
            "courses": list_courses(db),
            "tools": list_tools(db),
            "at": "profiles",
        }
    return answer_admin(
        request, "admin_profiles.html", context, {"use": _use_profile, "switch": _switch_quirks, "reset": _reset}
    )


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
    wishes = {quirk.number: form.get(f"quirk_{quirk.number}") == "on" for quirk in QUIRKS if name in quirk.offered_in}
    switch_quirks(db, name, wishes)
    return "Saved"


def _reset(db: Connection, form: Form) -> str:
    reset_quirks(db)
    return "Every quirk is as it was at first"
