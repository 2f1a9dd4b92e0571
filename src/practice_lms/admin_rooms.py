"""What an administrator changes inside a course: who leaves it, its groups, its columns."""

from collections.abc import Mapping
from dataclasses import replace
from sqlite3 import Connection

from practice_lms.columns import delete_line_item, find_line_item, save_line_item
from practice_lms.groups import delete_group, save_group
from practice_lms.links import change_link, get_link
from practice_lms.people import get_person, leave
from practice_lms.refusals import RefusedError

Form = Mapping[str, str]


def take_out(db: Connection, form: Form) -> str:
    """Somebody leaves the course, and its roster."""
    person = get_person(db, form.get("person", ""))
    leave(db, form.get("course", ""), person.id)
    return f"{person.name} is not in the course any more"


def add_group(db: Connection, form: Form) -> str:
    """A group of some people, in a set or on its own."""
    people = form.get("people", "").replace(",", " ").split()
    group = save_group(
        db, course_id=form.get("course", ""), name=form.get("name", ""), set_name=form.get("set", ""), people=people
    )
    return f"The group {group.name} has {len(group.people)} people"


def remove_group(db: Connection, form: Form) -> str:
    """A group ends; its people stay."""
    delete_group(db, form.get("group", ""))
    return "The group is gone"


def remove_column(db: Connection, form: Form) -> str:
    """A column goes with its grades, while its link stays."""
    delete_line_item(db, form.get("column", ""))
    return "The column and its grades are gone; its link is still there"


def double_column(db: Connection, form: Form) -> str:
    """A second column of the same link, as mistakes and copies leave it behind."""
    item = find_line_item(db, form.get("column", ""))
    if item is None:
        raise RefusedError("There is no such column.", 404)
    save_line_item(db, replace(item, id="", label=f"{item.label} (2)"))
    return "There is a second column now"


def set_due_date(db: Connection, form: Form) -> str:
    """When the work of a link is due; nothing means no date."""
    change_link(db, get_link(db, form.get("link", "")), due_at=form.get("due_at", "").strip())
    return "The due date is saved"
