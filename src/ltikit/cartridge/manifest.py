"""The manifest of a cartridge: which links there are, and how modules hold them (Common Cartridge 1.3 and 1.1, §4)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from ltikit.cartridge.course import CartridgeCourse, CartridgeLink, CartridgeModule
from ltikit.cartridge.link_xml import XSI, add
from ltikit.plain_text import clean_text, clean_title

FILE_NAME: Final = "imsmanifest.xml"


class Profile(enum.StrEnum):
    """Which cartridge. Moodle imports nothing newer than 1.1; thin cartridges hold links alone and say so."""

    COMMON_1_3 = "common-1.3"
    THIN_1_3 = "thin-1.3"
    COMMON_1_1 = "common-1.1"


class LinkFormat(enum.StrEnum):
    """The format of the links. LTI 1.3 core C keeps the one of LTI 1.0, for launches of both versions."""

    LTI_1_0 = "imsbasiclti_xmlv1p0"
    LTI_1_3 = "imsbasiclti_xmlv1p3"


@dataclass(frozen=True, slots=True)
class PlacedLink:
    """A link where it stands, with its identifiers in the manifest and the name of its file in the package."""

    link: CartridgeLink
    item_id: str
    resource_id: str

    @property
    def file_name(self) -> str:
        """Where the link stands in the package."""
        return f"lti/{self.resource_id}.xml"


@dataclass(frozen=True, slots=True)
class _Words:
    schema: str
    version: str
    package: str
    lom: str
    package_xsd: str
    lom_xsd: str


def _words(version: str, short: str, schema: str) -> _Words:
    profile = f"http://www.imsglobal.org/profile/cc/cc{short}"
    return _Words(
        schema=schema,
        version=version,
        package=f"http://www.imsglobal.org/xsd/imscc{short}/imscp_v1p1",
        lom=f"http://ltsc.ieee.org/xsd/imscc{short}/LOM/manifest",
        package_xsd=f"{profile}/cc{short}_imscp_v1p2_v1p0.xsd",
        lom_xsd=f"{profile}/LOM/cc{short}_lommanifest_v1p0.xsd",
    )


_PROFILES: Final = {
    Profile.COMMON_1_3: _words("1.3.0", "v1p3", "IMS Common Cartridge"),
    Profile.THIN_1_3: _words("1.3.0", "v1p3", "IMS Thin Common Cartridge"),
    Profile.COMMON_1_1: _words("1.1.0", "v1p1", "IMS Common Cartridge"),
}


def place_links(course: CartridgeCourse) -> list[tuple[CartridgeModule, list[PlacedLink]]]:
    """Each module with its links and their identifiers, which depend on nothing but the ids of course and link.

    A link that stands in a second module too gets another identifier there: each item has a resource of its own.
    Raises ValueError when a module holds a link twice.
    """
    seen: set[str] = set()
    return [(module, list(_place(course, module, seen))) for module in course.modules]


def _place(course: CartridgeCourse, module: CartridgeModule, seen: set[str]) -> Iterator[PlacedLink]:
    here: set[str] = set()
    for link in module.links:
        if link.id in here:
            raise ValueError(f"a module holds the link {link.id!r} twice")
        here.add(link.id)
        names = (link.id,) if link.id not in seen else (link.id, module.id)
        seen.add(link.id)
        yield PlacedLink(link, make_identifier("i", course.id, *names), make_identifier("r", course.id, *names))


def make_identifier(kind: str, *names: str) -> str:
    """An identifier (xs:ID) that is always the same for the same names, whatever characters they hold."""
    lengths = "".join(f"{len(name)}:{name}" for name in names)
    return f"{kind}{hashlib.sha256(lengths.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def build_manifest(
    course: CartridgeCourse,
    placed: list[tuple[CartridgeModule, list[PlacedLink]]],
    *,
    profile: Profile,
    link_format: LinkFormat,
) -> bytes:
    """The manifest, UTF-8 with a declaration. `placed` is what `place_links` made of the same course."""
    words = _PROFILES[profile]
    # The default namespace comes first: Moodle looks for it in the first 1024 bytes. The type stubs know only text.
    nsmap: Any = {None: words.package, "lomm": words.lom, "xsi": XSI}
    root = etree.Element(f"{{{words.package}}}manifest", nsmap=nsmap)
    root.set("identifier", make_identifier("m", course.id))
    root.set(f"{{{XSI}}}schemaLocation", f"{words.package} {words.package_xsd} {words.lom} {words.lom_xsd}")
    _add_metadata(root, course, words)
    organization = add(add(root, words.package, "organizations"), words.package, "organization")
    organization.set("identifier", make_identifier("o", course.id))
    organization.set("structure", "rooted-hierarchy")
    top = add(organization, words.package, "item")  # without a title: the schema has none here
    top.set("identifier", make_identifier("t", course.id))
    resources = add(root, words.package, "resources")
    for module, links in placed:
        heading = _add_item(top, words, make_identifier("h", course.id, module.id), module.title)
        for one in links:
            _add_item(heading, words, one.item_id, one.link.title).set("identifierref", one.resource_id)
            resource = add(resources, words.package, "resource")
            resource.set("identifier", one.resource_id)
            resource.set("type", link_format.value)
            add(resource, words.package, "file").set("href", one.file_name)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _add_metadata(root: etree._Element, course: CartridgeCourse, words: _Words) -> None:
    metadata = add(root, words.package, "metadata")
    add(metadata, words.package, "schema", words.schema)
    add(metadata, words.package, "schemaversion", words.version)
    general = add(add(metadata, words.lom, "lom"), words.lom, "general")
    texts = {"title": clean_title(course.title), "description": clean_text(course.description).strip()}
    for name, text in texts.items():
        if text:
            add(add(general, words.lom, name), words.lom, "string", text).set("language", clean_text(course.language))


def _add_item(parent: etree._Element, words: _Words, identifier: str, title: str) -> etree._Element:
    item = add(parent, words.package, "item")
    item.set("identifier", identifier)
    add(item, words.package, "title", clean_title(title))
    return item
