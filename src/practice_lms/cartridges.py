"""Importing Common Cartridges 1.0 to 1.3 and Thin ones: modules and LTI links, bound to the tools that fit.

A link is bound to the tool whose launch URL is a prefix of the link's; most LMSs also take one of the same host, a
Moodle does not. What could not be imported is listed with the reason.
"""

import re
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from practice_lms.courses import Course, get_course
from practice_lms.links import add_link, change_link, find_link
from practice_lms.modules import add_module, list_modules
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, get_tool, list_tools

NAMESPACES = {
    "http://www.imsglobal.org/xsd/imscc/imscp_v1p1": "1.0.0",
    "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1": "1.1.0",
    "http://www.imsglobal.org/xsd/imsccv1p2/imscp_v1p1": "1.2.0",
    "http://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1": "1.3.0",
}
SCHEMAS = ("IMS Common Cartridge", "IMS Thin Common Cartridge", "IMS K-12 Thin Common Cartridge")
LARGEST = 50 * 1024 * 1024
MOST_ENTRIES = 20_000
GRADES_BY_OUTCOME = ("practice", "canvas")
"""Who reads the points of a Canvas's extension `outcome`."""


@dataclass(frozen=True)
class CartridgeLink:
    """An LTI link as the cartridge describes it."""

    identifier: str
    title: str
    description: str
    url: str
    secure_url: str
    custom: dict[str, str]
    outcome: str


@dataclass
class Import:
    """What came of it: new or changed link ids, module ids, and what was left out with the reason."""

    version: str
    schema: str
    modules: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def import_cartridge(db: sqlite3.Connection, course_id: str, content: bytes, *, tool_id: str = "") -> Import:
    """Make the modules and links of a cartridge in a course; all links for one tool if it is named."""
    course = get_course(db, course_id)
    profile = choose_profile(db, course.profile)
    with _open(content) as package:
        manifest = _parse(_read_entry(package, "imsmanifest.xml"), "imsmanifest.xml")
        version, schema = _read_version(manifest, profile)
        done = Import(version, schema)
        resources = {str(one.get("identifier")): one for one in _find(manifest, "resources", "resource")}
        seen: set[str] = set()
        for title, items in _list_modules(manifest):
            module_id = _find_module(db, course, title, profile, done)
            for identifier, item_title in items:
                seen.add(identifier)
                if identifier not in resources:
                    done.skipped.append(_skip(item_title, f"There is no resource {identifier!r}."))
                    continue
                _import_resource(
                    db, course, profile, done, package, resources[identifier], item_title, module_id, tool_id
                )
        for identifier, resource in resources.items():
            if identifier in seen or "imsbasiclti" not in str(resource.get("type")):
                continue
            if profile.has("C25"):
                done.skipped.append(_skip(identifier, "No item of the organization names it (C25)."))
            else:
                _import_resource(db, course, profile, done, package, resource, "", None, tool_id)
    return done


def find_tool_by_url(db: sqlite3.Connection, course: Course, profile: Profile, url: str) -> Tool | None:
    """The tool that a link belongs to: the longest launch URL that begins the link's, else one of the same host."""
    tools = [tool for tool in list_tools(db) if tool.course_id in ("", course.id)]
    fitting = [tool for tool in tools if url.startswith(tool.launch_url)]
    if not fitting and profile.name != "moodle":
        fitting = [tool for tool in tools if urlsplit(tool.launch_url).netloc == urlsplit(url).netloc]
    ranked = sorted(fitting, key=lambda tool: (len(tool.launch_url), tool.course_id != "", tool.version))
    return ranked[-1] if ranked else None


def read_outcome(text: str) -> str:
    """The points that `outcome` gives; what is no number above zero makes no column."""
    is_number = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None
    return text if is_number and float(text) > 0 else ""


def _import_resource(
    db: sqlite3.Connection,
    course: Course,
    profile: Profile,
    done: Import,
    package: zipfile.ZipFile,
    resource: etree._Element,
    title: str,
    module_id: str | None,
    tool_id: str,
) -> None:
    kind = str(resource.get("type"))
    if "imsbasiclti" not in kind:
        done.skipped.append(_skip(title or str(resource.get("identifier")), f"{kind} is not imported."))
        return
    try:
        link = _read_link(package, resource)
        # A Moodle reads the plain address only, others prefer the secure one.
        url = link.url if profile.name == "moodle" else link.secure_url or link.url
        tool = get_tool(db, tool_id) if tool_id else find_tool_by_url(db, course, profile, url)
        if tool is None:
            raise RefusedError(f"No tool's URL is a prefix of {url!r}: define the tool first, then import again.")
        _save_link(db, course, profile, done, link, tool, url=url, title=title, module_id=module_id)
    except RefusedError as refusal:
        done.skipped.append(_skip(title or str(resource.get("identifier")), refusal.message))


def _save_link(
    db: sqlite3.Connection,
    course: Course,
    profile: Profile,
    done: Import,
    link: CartridgeLink,
    tool: Tool,
    *,
    url: str,
    title: str,
    module_id: str | None,
) -> None:
    values: dict[str, Any] = {
        "title": title or link.title,
        "description": link.description,
        "url": url,
        "custom": link.custom if profile.keeps_cartridge_custom else {},
        "module_id": module_id,
    }
    points = read_outcome(link.outcome) if profile.name in GRADES_BY_OUTCOME else ""
    origin = f"cartridge:{link.identifier}"
    row = db.execute("SELECT id FROM link WHERE course_id = ? AND origin = ?", (course.id, origin)).fetchone()
    before = find_link(db, row["id"]) if row else None
    if before is not None and profile.name != "moodle":
        done.changed.append(change_link(db, before, points=points, **values).id)
        return
    made = add_link(db, course_id=course.id, tool_id=tool.id, points=points, origin=origin, **values)
    done.links.append(made.id)


def _find_module(db: sqlite3.Connection, course: Course, title: str, profile: Profile, done: Import) -> str | None:
    """The module of this title, made when it is new; none where the LMS drops the titles."""
    if not title or not profile.keeps_cartridge_custom:
        return None
    known = next((one for one in list_modules(db, course.id) if one.title == title), None)
    if known is not None:
        return known.id
    made = add_module(db, course.id, title)
    done.modules.append(made.id)
    return made.id


def _list_modules(manifest: etree._Element) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Modules as (title, items), items as (resource identifier, title); items beside modules have no module title."""
    for root in _find(manifest, "organizations", "organization", "item"):
        for item in _find(root, "item"):
            if item.get("identifierref"):
                yield "", [(str(item.get("identifierref")), _text(item, "title"))]
            else:
                yield _text(item, "title"), list(_list_items(item))


def _list_items(item: etree._Element) -> Iterator[tuple[str, str]]:
    for child in _find(item, "item"):
        if child.get("identifierref"):
            yield str(child.get("identifierref")), _text(child, "title")
        yield from _list_items(child)


def _read_link(package: zipfile.ZipFile, resource: etree._Element) -> CartridgeLink:
    """The link in the file of a resource, or inside the resource itself as Thin cartridges may have it."""
    files = [str(one.get("href")) for one in _find(resource, "file")]
    inline = _find(resource, "cartridge_basiclti_link")
    root = inline[0] if inline else None
    if root is None:
        if not files:
            raise RefusedError("The resource has neither a file nor a link inside.")
        root = _parse(_read_entry(package, unquote(files[0])), files[0])
    if etree.QName(root).localname != "cartridge_basiclti_link":
        raise RefusedError("The file holds no cartridge_basiclti_link.")
    custom = {str(one.get("name")): (one.text or "").strip() for one in _find(root, "custom", "property")}
    canvas = [one for one in _find(root, "extensions") if one.get("platform") == "canvas.instructure.com"]
    outcomes = [one.text or "" for box in canvas for one in _find(box, "property") if one.get("name") == "outcome"]
    link = CartridgeLink(
        identifier=str(resource.get("identifier")),
        title=_text(root, "title"),
        description=_text(root, "description"),
        url=_text(root, "launch_url") or _text(root, "secure_launch_url"),
        secure_url=_text(root, "secure_launch_url"),
        custom=custom,
        outcome=outcomes[0].strip() if outcomes else "",
    )
    if not link.url:
        raise RefusedError("The link has no launch_url.")
    return link


def _read_version(manifest: etree._Element, profile: Profile) -> tuple[str, str]:
    name = etree.QName(manifest)
    schema = _text_at(manifest, "metadata", "schema")
    version = _text_at(manifest, "metadata", "schemaversion")
    if name.localname != "manifest" or NAMESPACES.get(name.namespace or "") is None or schema not in SCHEMAS:
        raise RefusedError("Unknown format: imsmanifest.xml is not that of a Common Cartridge.")
    if NAMESPACES[name.namespace or ""] != version:
        raise RefusedError(f"The namespace of imsmanifest.xml is not that of schemaversion {version!r}.")
    if version not in profile.cartridge_versions:
        raise RefusedError(f"Unknown format: {profile.title} imports {' and '.join(profile.cartridge_versions)} only.")
    return version, schema


def _open(content: bytes) -> zipfile.ZipFile:
    try:
        package = zipfile.ZipFile(BytesIO(content))
    except zipfile.BadZipFile:
        raise RefusedError("That is no .imscc file: it must be a ZIP file.") from None
    entries = package.infolist()
    if len(entries) > MOST_ENTRIES or sum(one.file_size for one in entries) > LARGEST:
        raise RefusedError("The cartridge is too large.")
    names = [one.filename for one in entries]
    if len(set(names)) != len(names):
        raise RefusedError("The cartridge holds two files of one name.")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise RefusedError(f"The cartridge holds a file outside of itself: {name!r}.")
    return package


def _read_entry(package: zipfile.ZipFile, name: str) -> bytes:
    try:
        return package.read(name)
    except KeyError:
        raise RefusedError(f"The cartridge has no {name}.") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        raise RefusedError(f"{name} cannot be unpacked.") from None


def _parse(content: bytes, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        raise RefusedError(f"{name} is not well-formed XML.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise RefusedError(f"{name} must not declare a document type.")
    return root


def _find(element: etree._Element, *steps: str) -> list[etree._Element]:
    """The elements at a path of local names: importers do not look at namespaces."""
    found = [element]
    for step in steps:
        found = [
            child
            for one in found
            for child in one
            if isinstance(child.tag, str) and etree.QName(child).localname == step
        ]
    return found


def _text(element: etree._Element, name: str) -> str:
    return _text_at(element, name)


def _text_at(element: etree._Element, *steps: str) -> str:
    found = _find(element, *steps)
    return (found[0].text or "").strip() if found else ""


def _skip(title: str, reason: str) -> dict[str, str]:
    return {"title": title, "reason": reason}
