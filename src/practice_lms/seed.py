"""The cast that every installation has, and the demo course with a tool's links by LTI 1.1 and by LTI 1.3."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from practice_lms.courses import Course, add_course, list_courses
from practice_lms.database import read_setting, write_setting
from practice_lms.installation import need_setting
from practice_lms.links import add_link, change_link, find_link
from practice_lms.people import add_person, enroll
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, find_seeded_tool, save_tool

COURSE_TITLE = "Introduction to programming"
CAST = (
    ("Tomas", "Lindqvist", "teacher"),
    ("Amara", "Okafor", "assistant"),
    ("Ada", "Moreau", "learner"),
    ("Ben", "Carter", "learner"),
    ("Chiara", "De Luca", "learner"),
    ("Deniz", "Yılmaz", "learner"),
    ("Émile", "O'Neil", "learner"),
    ("Maria", "Moreau", "observer"),
)


def prepare_cast(db: sqlite3.Connection) -> Course:
    """The people and the course that every installation begins with; made once."""
    course_id = read_setting(db, "demo_course")
    if course_id is not None:
        found = [course for course in list_courses(db) if course.id == course_id]
        if found:
            return found[0]
    course = add_course(db, title=COURSE_TITLE, label="PROG-101", sourcedid="sis:PROG-101", section_sourcedid="")
    write_setting(db, "demo_course", course.id)
    ids: dict[str, str] = {}
    for given, family, role in CAST:
        username = f"{given}.{family}".lower().replace(" ", "").replace("'", "")
        email = f"{username.encode('ascii', 'ignore').decode()}@practice.example"
        person = add_person(db, given_name=given, family_name=family, email=email, username=username)
        ids[given] = person.id
        enroll(db, course.id, person.id, role, [ids["Ada"]] if role == "observer" else ())
    return course


def seed_courseway(db: sqlite3.Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Put a tool's links into the demo course. Done again with other values, it changes what it made."""
    course = prepare_cast(db)
    links = values.get("links") or []
    versions = [str(link.get("version") or ("1.1", "1.3")[place % 2]) for place, link in enumerate(links)]
    tools = {version: _save_tool(db, version, values) for version in sorted(set(versions) or {"1.1", "1.3"})}
    placed = []
    for place, (link, version) in enumerate(zip(links, versions, strict=True)):
        if not link.get("title") or not link.get("url"):
            raise RefusedError("Each link needs a title and a url.")
        placed.append(_place_link(db, course, tools[version], link, str(link.get("key") or place)))
    return {"course": course.id, "tools": {version: tool.id for version, tool in tools.items()}, "links": placed}


def read_seed_file(path: Path) -> dict[str, Any]:
    """The JSON file that the tool's side wrote."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise RefusedError(f"{path} is not valid JSON.") from None
    if not isinstance(values, dict):
        raise RefusedError(f"{path} must hold a JSON object.")
    return values


def _save_tool(db: sqlite3.Connection, version: str, values: Mapping[str, Any]) -> Tool:
    redirects = values.get("redirect_urls") or [values.get("redirect_url") or ""]
    wanted = {
        "title": "Courseway",
        "version": version,
        "launch_url": values.get("launch_url"),
        "origin": "seed",
    }
    if version == "1.1":
        wanted |= {"key": values.get("key"), "secret": values.get("secret")}
    else:
        wanted |= {
            "login_url": values.get("login_url"),
            "redirect_urls": redirects,
            "keyset_url": values.get("keyset_url"),
            "client_id": values.get("client_id") or need_setting(db, "client_id"),
            "deployment_id": values.get("deployment_id") or need_setting(db, "deployment_id"),
        }
        for name in ("client_id", "deployment_id"):
            write_setting(db, name, str(wanted[name]))
    for name in ("placements", "custom", "profile"):
        if name in values:
            wanted[name] = values[name]
    before = find_seeded_tool(db, version)
    return save_tool(db, wanted, tool_id=before.id if before else "")


def _place_link(
    db: sqlite3.Connection, course: Course, tool: Tool, values: Mapping[str, Any], name: str
) -> dict[str, str]:
    """One link of the file, known again by its place in the file and its version."""
    origin = f"seed:{tool.version}:{name}"
    row = db.execute("SELECT id FROM link WHERE course_id = ? AND origin = ?", (course.id, origin)).fetchone()
    before = find_link(db, row["id"]) if row else None
    title, url, custom = str(values["title"]), str(values["url"]), dict(values.get("custom") or {})
    if before is not None:
        change_link(db, before, title=title, url=url, points=values.get("points"), custom=custom)
        return {"id": before.id, "title": title}
    link = add_link(
        db,
        course_id=course.id,
        tool_id=tool.id,
        title=title,
        url=url,
        points=values.get("points"),
        custom=custom,
        origin=origin,
    )
    return {"id": link.id, "title": title}
