"""The package of a cartridge: a ZIP file with the manifest and one file for each link."""

from __future__ import annotations

import io
import zipfile
from typing import Final
from urllib.parse import urlsplit

from ltikit.canvas_placements import PLATFORM, PRIVACY_LEVEL
from ltikit.cartridge import manifest
from ltikit.cartridge.course import CartridgeCourse, CartridgeLink
from ltikit.cartridge.link_xml import BLTI, CARTRIDGE, CARTRIDGE_13, add, add_properties, finish_link, start_link
from ltikit.cartridge.manifest import LinkFormat, Profile
from ltikit.plain_text import clean_title

SUFFIX: Final = ".imscc"
MEDIA_TYPE: Final = "application/vnd.ims.imsccv1p3+zip"

_NAMESPACES = {LinkFormat.LTI_1_0: CARTRIDGE, LinkFormat.LTI_1_3: CARTRIDGE_13}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows
_PLAIN_FILE = 0o100644 << 16


def build_cartridge(
    course: CartridgeCourse,
    *,
    vendor_name: str,
    vendor_code: str,
    profile: Profile = Profile.COMMON_1_3,
    link_format: LinkFormat = LinkFormat.LTI_1_0,
) -> bytes:
    """The bytes of an `.imscc` file (Common Cartridge 1.3 §3). The same course always gives the same bytes.

    `vendor_code` is a plain word. Nothing in the package is secret and nothing names a person: the LMS ties each link
    to the tool that is installed there, by its address. Common Cartridge 1.1 knows links of LTI 1.0 alone.

    Raises ValueError for a combination or a name that the formats do not have.
    """
    if profile is Profile.COMMON_1_1 and link_format is not LinkFormat.LTI_1_0:
        raise ValueError("Common Cartridge 1.1 holds links in the format of LTI 1.0 only")
    placed = manifest.place_links(course)
    files = {
        one.file_name: _build_link(one.link, _NAMESPACES[link_format], vendor_name, vendor_code)
        for _, links in placed
        for one in links
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        document = manifest.build_manifest(course, placed, profile=profile, link_format=link_format)
        _write(package, manifest.FILE_NAME, document)
        for name in sorted(files):
            _write(package, name, files[name])
    return buffer.getvalue()


def _build_link(link: CartridgeLink, namespace: str, vendor_name: str, vendor_code: str) -> bytes:
    """One link's file. Importers show either its own title or that of its item, so the two are equal.

    `outcome` makes Canvas create an assignment of that many points instead of a link without a grade.
    """
    root = start_link(namespace, title=clean_title(link.title), description=link.description, custom=link.custom)
    extensions = add(root, BLTI, "extensions")
    extensions.set("platform", PLATFORM)
    properties = {"domain": urlsplit(link.url).netloc, "privacy_level": PRIVACY_LEVEL}
    if link.points:
        properties["outcome"] = format(link.points.normalize(), "f")
    add_properties(extensions, properties)
    return finish_link(root, launch_url=link.url, vendor_name=vendor_name, vendor_code=vendor_code)


def _write(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # the same on every system that runs this
    entry.external_attr = _PLAIN_FILE
    package.writestr(entry, content, compresslevel=6)
