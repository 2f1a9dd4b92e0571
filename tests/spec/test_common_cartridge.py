"""Common Cartridge 1.3, 1.1 and Thin CC: packages are valid, whole, stable, and hold no secret."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ltikit.cartridge.course import CartridgeCourse, CartridgeLink, CartridgeModule
from ltikit.cartridge.link_xml import BLTI, CARTRIDGE, CARTRIDGE_13, LTICM
from ltikit.cartridge.manifest import LinkFormat, Profile
from ltikit.cartridge.package import build_cartridge
from tests.ltikit.schemas import check_schema

CP = "http://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1"
CP_11 = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
LOM = "http://ltsc.ieee.org/xsd/imsccv1p3/LOM/manifest"


def link(name: str = "a1", **changes: Any) -> CartridgeLink:
    values = {"id": name, "title": f"Assignment {name}", "url": f"https://tool.example:8443/base/lti/a/{name}"}
    return CartridgeLink(**{**values, **changes})


COURSE = CartridgeCourse(
    id="course-1",
    title="Python & friends",
    description="A course",
    language="pt-BR",
    modules=(
        CartridgeModule("m1", "Week 1", (link("a1", points=Decimal("10.00"), description="First"), link("a2"))),
        CartridgeModule("m2", "Week 2", (link("a3", points=Decimal("7.5"), custom={"course_target_id": "c1"}),)),
        CartridgeModule("m3", "Empty"),
    ),
)

Package = dict[str, etree._Element]


def build(course: CartridgeCourse = COURSE, **changes: Any) -> bytes:
    return build_cartridge(course, vendor_name="Courseway", vendor_code="courseway", **changes)


def unpack(content: bytes) -> Package:
    """Every file of the package, read as XML."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.testzip() is None
        return {name: etree.fromstring(package.read(name)) for name in package.namelist()}


def read_outline(package: Package, namespace: str = CP) -> list[tuple[str, list[tuple[str, str]]]]:
    """What an importer finds: each module's title, and in it the titles and addresses of the links.

    On the way everything that a manifest refers to must be there once, and nothing may be left over.
    """
    manifest = package["imsmanifest.xml"]
    identifiers = [element.get("identifier") for element in manifest.iter() if element.get("identifier")]
    assert len(set(identifiers)) == len(identifiers)
    resources = {one.get("identifier"): one for one in manifest.iter(f"{{{namespace}}}resource")}
    files = [one.get("href") for one in manifest.iter(f"{{{namespace}}}file")]
    assert sorted([*map(str, files), "imsmanifest.xml"]) == sorted(package)
    top = manifest.find(f"{{{namespace}}}organizations/{{{namespace}}}organization/{{{namespace}}}item")
    assert top is not None
    assert top.find(f"{{{namespace}}}title") is None
    outline = []
    for module in top.findall(f"{{{namespace}}}item"):
        assert module.get("identifierref") is None
        links = []
        for item in module.findall(f"{{{namespace}}}item"):
            assert item.find(f"{{{namespace}}}item") is None
            resource = resources.pop(item.get("identifierref"))
            (file,) = resource.findall(f"{{{namespace}}}file")
            document = package[str(file.get("href"))]
            title = str(item.findtext(f"{{{namespace}}}title"))
            assert document.findtext(f"{{{BLTI}}}title") == title
            links.append((title, str(document.findtext(f"{{{BLTI}}}launch_url"))))
        outline.append((str(module.findtext(f"{{{namespace}}}title")), links))
    assert not resources
    return outline


def find_link(package: Package, title: str) -> etree._Element:
    return next(root for root in package.values() if root.findtext(f"{{{BLTI}}}title") == title)


def canvas_properties(root: etree._Element) -> dict[str, str]:
    extensions = root.find(f"{{{BLTI}}}extensions")
    assert extensions is not None
    assert extensions.get("platform") == "canvas.instructure.com"
    return {str(one.get("name")): one.text or "" for one in extensions}


@pytest.mark.quirk("C25")
def test_modules_and_links_in_their_order() -> None:
    """Modules are kept, with one link for each assignment, and each link opens its own address."""
    base = "https://tool.example:8443/base/lti/a"
    assert read_outline(unpack(build())) == [
        ("Week 1", [("Assignment a1", f"{base}/a1"), ("Assignment a2", f"{base}/a2")]),
        ("Week 2", [("Assignment a3", f"{base}/a3")]),
        ("Empty", []),
    ]


@pytest.mark.parametrize("link_format", LinkFormat)
def test_valid_against_the_schemas(link_format: LinkFormat) -> None:
    """Manifest and links of a Common Cartridge 1.3 are valid, with links of either format."""
    for root in unpack(build(link_format=link_format)).values():
        check_schema(root)


def test_the_schemas_find_mistakes() -> None:
    """The check above is one: a manifest with a title at its root item is not valid."""
    manifest = unpack(build())["imsmanifest.xml"]
    check_schema(manifest)
    top = manifest.find(f".//{{{CP}}}organization/{{{CP}}}item")
    assert top is not None
    top.insert(0, etree.Element(f"{{{CP}}}title"))
    with pytest.raises(AssertionError):
        check_schema(manifest)


@pytest.mark.parametrize("profile", [Profile.THIN_1_3, Profile.COMMON_1_1])
def test_other_profiles_differ_in_names_only(profile: Profile) -> None:
    """Thin and 1.1 manifests are valid ones of 1.3 once their names are exchanged: those schemas are not to be had."""
    for root in unpack(build(profile=profile)).values():
        text = etree.tostring(root).decode()
        text = text.replace("IMS Thin Common Cartridge", "IMS Common Cartridge")
        text = text.replace("imsccv1p1", "imsccv1p3").replace(">1.1.0<", ">1.3.0<")
        check_schema(etree.fromstring(text))


@pytest.mark.parametrize(
    ("profile", "namespace", "schema", "version"),
    [
        (Profile.COMMON_1_3, CP, "IMS Common Cartridge", "1.3.0"),
        (Profile.THIN_1_3, CP, "IMS Thin Common Cartridge", "1.3.0"),
        (Profile.COMMON_1_1, CP_11, "IMS Common Cartridge", "1.1.0"),
    ],
)
def test_profiles_name_themselves(profile: Profile, namespace: str, schema: str, version: str) -> None:
    """The manifest says which cartridge it is, by namespace, schema and version."""
    package = unpack(build(profile=profile))
    manifest = package["imsmanifest.xml"]
    assert manifest.tag == f"{{{namespace}}}manifest"
    assert manifest.findtext(f"{{{namespace}}}metadata/{{{namespace}}}schema") == schema
    assert manifest.findtext(f"{{{namespace}}}metadata/{{{namespace}}}schemaversion") == version
    assert len(read_outline(package, namespace)) == 3


def test_moodle_recognises_the_older_cartridge() -> None:
    """Moodle looks for the default namespace of 1.1 in the first 1024 bytes, without blanks and quotes."""
    with zipfile.ZipFile(io.BytesIO(build(profile=Profile.COMMON_1_1))) as package:
        start = package.read("imsmanifest.xml")[:1024].decode().lower()
    assert f"xmlns={CP_11}" in "".join(start.split()).replace('"', "").replace("'", "")


def test_title_and_language_of_the_course() -> None:
    """The course's title and description are in the metadata, in its language."""
    manifest = unpack(build())["imsmanifest.xml"]
    for name, text in (("title", "Python & friends"), ("description", "A course")):
        string = manifest.find(f".//{{{LOM}}}{name}/{{{LOM}}}string")
        assert string is not None
        assert (string.text, string.get("language")) == (text, "pt-BR")


def test_link_formats() -> None:
    """Links have the format of LTI 1.0 unless that of LTI 1.3 is chosen, which Common Cartridge 1.1 does not know."""
    for link_format, namespace in ((LinkFormat.LTI_1_0, CARTRIDGE), (LinkFormat.LTI_1_3, CARTRIDGE_13)):
        package = unpack(build(link_format=link_format))
        types = {one.get("type") for one in package["imsmanifest.xml"].iter(f"{{{CP}}}resource")}
        assert types == {link_format.value}
        assert find_link(package, "Assignment a1").tag == f"{{{namespace}}}cartridge_basiclti_link"
    assert unpack(build())["imsmanifest.xml"].find(f".//{{{CP}}}resource[@type='imsbasiclti_xmlv1p0']") is not None
    with pytest.raises(ValueError, match="LTI 1"):
        build(profile=Profile.COMMON_1_1, link_format=LinkFormat.LTI_1_3)


def test_canvas_makes_graded_assignments_of_points() -> None:
    """Points are in the property from which Canvas makes a graded assignment; a link without points has none."""
    package = unpack(build())
    first = canvas_properties(find_link(package, "Assignment a1"))
    assert first == {"domain": "tool.example:8443", "privacy_level": "public", "outcome": "10"}
    assert canvas_properties(find_link(package, "Assignment a3"))["outcome"] == "7.5"
    assert "outcome" not in canvas_properties(find_link(package, "Assignment a2"))
    no_points = CartridgeCourse("c", "C", (CartridgeModule("m", "M", (link(points=Decimal(0)),)),))
    assert "outcome" not in canvas_properties(find_link(unpack(build(no_points)), "Assignment a1"))


def test_custom_parameters_only_where_they_are_wanted() -> None:
    """A link has exactly the custom parameters that were given for it."""
    package = unpack(build())
    custom = find_link(package, "Assignment a3").find(f"{{{BLTI}}}custom")
    assert custom is not None
    assert [(one.get("name"), one.text) for one in custom] == [("course_target_id", "c1")]
    assert find_link(package, "Assignment a1").find(f"{{{BLTI}}}custom") is None


def test_twice_the_same_bytes() -> None:
    """Exporting twice gives the same bytes, and a package from another day is no different."""
    content = build()
    assert build() == content
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        names = package.namelist()
    assert names[0] == "imsmanifest.xml"
    assert names[1:] == sorted(names[1:])
    assert all(name.isascii() and name.islower() and ".." not in name and name[0] != "/" for name in names)


def test_identifiers_outlive_changes() -> None:
    """A link keeps its identifier and file when it is renamed, moved to another module, or others come and go."""
    before = {one.get("identifier") for one in unpack(build())["imsmanifest.xml"].iter(f"{{{CP}}}resource")}
    changed = CartridgeCourse(
        "course-1",
        "Renamed",
        (CartridgeModule("m9", "New", (link("a3"), link("a9"), link("a1", title="Renamed", points=Decimal(99)))),),
    )
    after = {one.get("identifier") for one in unpack(build(changed))["imsmanifest.xml"].iter(f"{{{CP}}}resource")}
    assert len(before & after) == 2
    other = CartridgeCourse("course-2", COURSE.title, COURSE.modules)
    assert not before & {one.get("identifier") for one in unpack(build(other))["imsmanifest.xml"].iter()}


def test_an_assignment_in_two_modules() -> None:
    """An assignment that stands in two modules is a link in each; twice in one module is a mistake of the caller."""
    modules = (CartridgeModule("m1", "A", (link(),)), CartridgeModule("m2", "B", (link(),)))
    outline = read_outline(unpack(build(CartridgeCourse("c", "C", modules))))
    assert [len(links) for _, links in outline] == [1, 1]
    with pytest.raises(ValueError, match="twice"):
        build(CartridgeCourse("c", "C", (CartridgeModule("m", "M", (link(), link())),)))
    with pytest.raises(ValueError, match="same id"):
        CartridgeCourse("c", "C", (CartridgeModule("m", "M"), CartridgeModule("m", "M")))


def test_a_course_without_modules() -> None:
    """An empty course is a valid cartridge too."""
    package = unpack(build(CartridgeCourse("c", " ")))
    assert read_outline(package) == []
    check_schema(package["imsmanifest.xml"], skips=False)


WILD = st.text(st.characters(), max_size=300)


@given(WILD, WILD, WILD, st.dictionaries(st.text("abc_.-", min_size=1).map("x".__add__), WILD, max_size=3))
def test_wild_texts(course: str, module: str, title: str, custom: dict[str, str]) -> None:
    """Whatever courses, modules and links are called, the package is whole, valid and has one line of title each."""
    one = link(title=title, description=module, custom=custom, points=Decimal(1))
    built = CartridgeCourse("c", course, (CartridgeModule("m", module, (one,)),), description=title)
    package = unpack(build(built))
    for shown_module, links in read_outline(package):
        for shown in (shown_module, links[0][0]):
            assert shown == " ".join(shown.split())
            assert 0 < len(shown) <= 255
    for root in package.values():
        check_schema(root, skips=False)


@pytest.mark.parametrize("title", ["<script>&amp;\"'</title>", "שלום", "🎓 Prüfung", "a\x00b\x1f", "\ufffe", "]]>"])
def test_odd_titles(title: str) -> None:
    """Markup, other scripts and characters that XML cannot hold do no harm."""
    course = CartridgeCourse("c", title, (CartridgeModule("m", title, (link(title=title),)),))
    ((shown, _),) = read_outline(unpack(build(course)))
    assert shown == (title.replace("\x00", "").replace("\x1f", "").replace("\ufffe", "") or "Untitled")


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_of_any_kind_make_identifiers(first: str, second: str) -> None:
    """Ids may hold anything; different ones never share an identifier."""
    links = tuple(CartridgeLink(one, "T", "https://tool.example/a") for one in dict.fromkeys((first, second)))
    package = unpack(build(CartridgeCourse(second, "C", (CartridgeModule(first, "M", links),))))
    assert len(package) == len(links) + 1
    check_schema(package["imsmanifest.xml"], skips=False)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: link(url="javascript:alert(1)"),
        lambda: link(url="/lti/a/x"),
        lambda: link(points=Decimal("NaN")),
        lambda: link(points=Decimal(-1)),
        lambda: CartridgeLink("", "x", "https://tool.example/a"),
        lambda: CartridgeModule("", "x"),
        lambda: CartridgeCourse("", "x"),
        lambda: build(CartridgeCourse("c", "C", (CartridgeModule("m", "M", (link(custom={"a b": "x"}),)),))),
    ],
)
def test_what_no_cartridge_can_hold(mistake: Any) -> None:
    """Addresses that are none, points that are none, missing ids and names that XML has not: each is refused."""
    with pytest.raises(ValueError):
        mistake()


def test_addresses_are_escaped_and_secure_ones_named_as_such() -> None:
    """Ampersands are escaped in the file and read back as they were; a plain http address is not called secure."""
    url = "https://tool.example/lti/a/x?a=1&b=2"
    course = CartridgeCourse("c", "C", (CartridgeModule("m", "M", (link(url=url),)),))
    with zipfile.ZipFile(io.BytesIO(build(course))) as package:
        assert b"a=1&amp;b=2" in package.read(package.namelist()[1])
    root = find_link(unpack(build(course)), "Assignment a1")
    assert root.findtext(f"{{{BLTI}}}launch_url") == root.findtext(f"{{{BLTI}}}secure_launch_url") == url
    plain = CartridgeCourse("c", "C", (CartridgeModule("m", "M", (link(url="http://tool.example/a"),)),))
    assert find_link(unpack(build(plain)), "Assignment a1").find(f"{{{BLTI}}}secure_launch_url") is None


def test_nothing_secret_inside() -> None:
    """No key, secret or client id has a place in a package."""
    with zipfile.ZipFile(io.BytesIO(build())) as package:
        content = b"".join(map(package.read, package.namelist())).lower()
    assert not [word for word in (b"secret", b"consumer_key", b"client_id", b"deployment", b"@") if word in content]
    assert all(one.tag == f"{{{LTICM}}}property" for one in find_link(unpack(build()), "Assignment a1")[2])


def test_time_grows_with_the_number_of_links() -> None:
    """1,000 links take a second or so at most, and four times as many about four times as long."""

    def measure(count: int) -> float:
        links = tuple(link(f"a{number}", points=Decimal(10)) for number in range(count))
        course = CartridgeCourse("c", "C", (CartridgeModule("m", "M", links),))
        begin = process_time()
        build(course)
        return process_time() - begin

    measure(50)
    short, long = min(measure(500) for _ in range(3)), min(measure(2000) for _ in range(3))
    assert long < 10 * short
    assert short < 2
