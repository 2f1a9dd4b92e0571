"""The XML configuration of a tool (`cartridge_basiclti_link`), which an administrator gives to an LMS by its address.

Common Cartridge 1.0 §"Basic LTI links"; the order of the elements is the schema's.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from lxml import etree

CARTRIDGE: Final = "http://www.imsglobal.org/xsd/imslticc_v1p0"
BLTI: Final = "http://www.imsglobal.org/xsd/imsbasiclti_v1p0"
LTICM: Final = "http://www.imsglobal.org/xsd/imslticm_v1p0"
LTICP: Final = "http://www.imsglobal.org/xsd/imslticp_v1p0"
MEDIA_TYPE: Final = "application/xml"

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMAS = " ".join(f"{namespace} {namespace}.xsd" for namespace in (CARTRIDGE, BLTI, LTICM, LTICP))
_NSMAP = {"blti": BLTI, "lticm": LTICM, "lticp": LTICP, "xsi": _XSI}


def build_tool_xml(
    *, title: str, description: str, launch_url: str, tool_id: str, vendor_name: str, vendor_code: str
) -> bytes:
    """The document, UTF-8 with a declaration. `launch_url` is absolute; `tool_id` and `vendor_code` are plain words.

    The extension asks Canvas to send names, addresses and roles, without which nobody could be told apart, and binds
    the tool to the host of `launch_url`.
    """
    root = etree.Element(f"{{{CARTRIDGE}}}cartridge_basiclti_link", nsmap={None: CARTRIDGE, **_NSMAP})  # type: ignore[dict-item]
    root.set(f"{{{_XSI}}}schemaLocation", _SCHEMAS)
    _add(root, BLTI, "title", title)
    _add(root, BLTI, "description", description)
    extensions = _add(root, BLTI, "extensions")
    extensions.set("platform", "canvas.instructure.com")
    properties = {
        "tool_id": tool_id,
        "privacy_level": "public",
        "domain": urlsplit(launch_url).netloc,
        "text": title,
        "oauth_compliant": "true",
    }
    for name, value in properties.items():
        _add(extensions, LTICM, "property", value).set("name", name)
    _add(root, BLTI, "launch_url", launch_url)
    if launch_url.startswith("https:"):
        _add(root, BLTI, "secure_launch_url", launch_url)
    vendor = _add(root, BLTI, "vendor")
    _add(vendor, LTICP, "code", vendor_code)
    _add(vendor, LTICP, "name", vendor_name)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}")
    element.text = text
    return element
