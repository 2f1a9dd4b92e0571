"""Which field of a launch names a student in exports: the organization's choice (A7)."""

from __future__ import annotations

from typing import Any, Final

from ltikit.launch import Launch
from ltikit.parameters import clean_value, normalise_name

MAX_LTI_ID: Final = 255
# Fields that either version of LTI has, by the name of LTI 1.1; every other name is a parameter of the launch.
USER_ID: Final = "user_id"
SOURCEDID: Final = "lis_person_sourcedid"
EMAIL: Final = "lis_person_contact_email_primary"
NAME: Final = "lis_person_name_full"
# Claims under which platforms send more about a person, besides custom parameters.
_EXTENSIONS: Final = (
    "https://purl.imsglobal.org/spec/lti/claim/ext",
    "http://www.brightspace.com",
    "https://www.instructure.com/placement",
)


def read_lti_id(launch: Launch, field: str) -> str:
    """The value of `field` in this launch, "" if the launch has none.

    `field` is one of the names above, or any parameter in any usual spelling: `custom_canvas_user_login_id`,
    `canvas_user_login_id`, `ext_user_username`. Under LTI 1.3 it is looked for among custom parameters, extension
    claims and claims.
    """
    person = launch.person
    standard = {
        USER_ID: person.user_id or "",
        "sub": person.user_id or "",
        SOURCEDID: person.sourcedid,
        EMAIL: person.email,
        "email": person.email,
        NAME: person.name,
        "name": person.name,
    }
    name = field.strip()
    if name.lower() in standard:
        return _clean(standard[name.lower()])
    if value := launch.custom.get(normalise_name(name), ""):
        return _clean(value)
    if value := _clean(launch.raw.get(name)):
        return value
    for extension in _EXTENSIONS:
        members = launch.raw.get(extension)
        if isinstance(members, dict):
            for spelling in (name, name.removeprefix("ext_d2l_"), name.removeprefix("ext_")):
                if value := _clean(members.get(spelling)):
                    return value
    return ""


def _clean(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = "".join(sign for sign in clean_value(str(value)) if sign.isprintable())
    return text if len(text) <= MAX_LTI_ID else ""
