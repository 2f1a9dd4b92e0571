"""One LTI link as XML, `cartridge_basiclti_link`: in a cartridge, and as a tool's configuration.

The order of the elements is the schema's; text and attributes are written by the XML library, never by formatting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from ltikit.plain_text import clean_text

CARTRIDGE: Final = "http://www.imsglobal.org/xsd/imslticc_v1p0"
CARTRIDGE_13: Final = "http://www.imsglobal.org/xsd/imslticc_v1p3"
BLTI: Final = "http://www.imsglobal.org/xsd/imsbasiclti_v1p0"
LTICM: Final = "http://www.imsglobal.org/xsd/imslticm_v1p0"
LTICP: Final = "http://www.imsglobal.org/xsd/imslticp_v1p0"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
MAX_URL: Final = 4096
"""Characters of an address (imsbasiclti_v1p0)."""

_SCHEMA_FOLDERS = {CARTRIDGE_13: "ltiv1p3"}
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_.:\-]*")


def start_link(namespace: str, *, title: str, description: str, custom: Mapping[str, str]) -> etree._Element:
    """The root with title, description and custom parameters; extensions and the end are to be added.

    `namespace` is `CARTRIDGE` or `CARTRIDGE_13`. Raises ValueError for a parameter's name that XML cannot hold.
    """
    # lxml takes None for the default namespace; its type stubs know only text.
    nsmap: Any = {None: namespace, "blti": BLTI, "lticm": LTICM, "lticp": LTICP, "xsi": XSI}
    root = etree.Element(f"{{{namespace}}}cartridge_basiclti_link", nsmap=nsmap)
    root.set(f"{{{XSI}}}schemaLocation", " ".join(map(_locate, (namespace, BLTI, LTICM, LTICP))))
    add(root, BLTI, "title", title)
    if description:
        add(root, BLTI, "description", description)
    if custom:
        add_properties(add(root, BLTI, "custom"), custom)
    return root


def finish_link(
    root: etree._Element, *, launch_url: str, vendor_name: str, vendor_code: str, icon_url: str = ""
) -> bytes:
    """Add addresses and vendor, and write the document: UTF-8 with a declaration.

    The plain address is there even when it is https: Moodle reads no other. Raises ValueError for an address longer
    than `MAX_URL` and a vendor code that is not a plain word.
    """
    if len(launch_url) > MAX_URL or len(icon_url) > MAX_URL:
        raise ValueError(f"an address in a link has at most {MAX_URL} characters")
    check_name(vendor_code)
    for name, url in (("launch_url", launch_url), ("icon", icon_url)):
        if url:
            add(root, BLTI, name, url)
        if url.startswith("https:"):
            add(root, BLTI, f"secure_{name}", url)
    vendor = add(root, BLTI, "vendor")
    add(vendor, LTICP, "code", vendor_code)
    add(vendor, LTICP, "name", vendor_name)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    """A new last child of `parent`; characters that XML cannot hold are left out of its text."""
    element = etree.SubElement(parent, f"{{{namespace}}}{name}")
    element.text = None if text is None else clean_text(text)
    return element


def add_properties(parent: etree._Element, properties: Mapping[str, str]) -> None:
    """A `property` for each name. Raises ValueError for a name that XML cannot hold."""
    for name, value in properties.items():
        add(parent, LTICM, "property", value).set("name", check_name(name))


def check_name(name: str) -> str:
    """The name, if it is one (xs:Name, of which the part in ASCII is accepted); ValueError if not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name: letters, digits, '_', '.', '-' and a letter first")
    return name


def _locate(namespace: str) -> str:
    folder, name = _SCHEMA_FOLDERS.get(namespace, "ltiv1p0"), namespace.rpartition("/")[2]
    return f"{namespace} http://www.imsglobal.org/xsd/lti/{folder}/{name}.xsd"
