"""What is read out of a launch for people: a student's id for exports, and the address of the LMS course.

Both are pure. The address is only ever proposed to a teacher: no message of LTI names it, so it is read off the
return URL, whose rest may hold session keys and is not kept.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from ltikit.launch import Launch
from ltikit.parameters import clean_value, is_web_url, normalise_name

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

MAX_URL: Final = 2000
_ID = r"[A-Za-z0-9_.:~-]{1,100}"
# A part of the return URL's path, what stands before it, and the path of the course's page.
_PATHS: Final = (
    # Canvas: /courses/12/external_content/success/…, /courses/12/assignments. The practice LMS has the same form.
    (re.compile(rf"^(?P<base>.*?)/courses/(?P<id>{_ID})(?:/|$)"), "{base}/courses/{id}"),
    # Schoology: /course/123/materials
    (re.compile(r"^(?P<base>.*?)/course/(?P<id>\d{1,20})(?:/|$)"), "{base}/course/{id}/materials"),
    # Brightspace: /d2l/le/content/6606/…, /d2l/le/lessons/6606, /d2l/home/6606
    (re.compile(r"^(?P<base>.*?)/d2l/(?:le/(?:content|lessons)|home)/(?P<id>\d{1,20})(?:/|$)"), "{base}/d2l/home/{id}"),
    # Sakai: /portal/site/<site>
    (re.compile(rf"^(?P<base>.*?)/portal/site/(?P<id>{_ID})(?:/|$)"), "{base}/portal/site/{id}"),
)
# The same for courses that are named in the query.
_QUERIES: Final = (
    # Moodle: /mod/lti/return.php?course=3&…
    (re.compile(r"^(?P<base>.*?)/mod/lti/[a-z_]+\.php$"), "course", r"\d{1,20}", "{base}/course/view.php?id={id}"),
    (re.compile(r"^(?P<base>.*?)/course/view\.php$"), "id", r"\d{1,20}", "{base}/course/view.php?id={id}"),
    # Blackboard: /webapps/blackboard/execute/blti/launchReturn?course_id=_12_1&…
    (
        re.compile(r"^(?P<base>.*?)/webapps/.*$"),
        "course_id",
        r"_\d{1,20}_\d{1,5}",
        "{base}/webapps/blackboard/execute/courseMain?course_id={id}",
    ),
    # Brightspace: /d2l/…?ou=6606
    (re.compile(r"^(?P<base>.*?)/d2l/.*$"), "ou", r"\d{1,20}", "{base}/d2l/home/{id}"),
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


def guess_course_url(launch: Launch) -> str:
    """The address of the launching LMS course, "" when the launch does not tell."""
    if launch.context is None or not is_web_url(launch.return_url):
        return ""
    parts = urlsplit(launch.return_url)
    if "@" in parts.netloc:
        return ""
    found = _from_path(parts.path) or _from_query(parts.path, parts.query)
    url = f"{parts.scheme}://{parts.netloc}{found}"
    return url if found and len(url) <= MAX_URL else ""


def _from_path(path: str) -> str:
    for pattern, form in _PATHS:
        if match := pattern.match(path):
            return form.format(base=match["base"], id=quote(match["id"], safe="~:"))
    return ""


def _from_query(path: str, query: str) -> str:
    try:
        parameters = parse_qs(query, max_num_fields=100)
    except ValueError:
        return ""
    for pattern, name, shape, form in _QUERIES:
        value = parameters.get(name, [""])[0]
        if (match := pattern.match(path)) and re.fullmatch(shape, value):
            return form.format(base=match["base"], id=value)
    return ""
