"""The LMS course's own address, as far as a launch tells: to be proposed to a teacher, never set by itself.

No message of LTI names it. It is read off the return URL, whose rest may hold session keys and is not kept.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from ltikit.launch import Launch
from ltikit.parameters import is_web_url

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
