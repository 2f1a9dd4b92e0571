"""Common Cartridges are imported: modules, links, custom parameters and points, and each link launches."""

import base64
import io
import zipfile
from typing import Any

import httpx2
import pytest

from tests.practice_lms.running import PracticeLms, Tool11, Tool13
from tests.practice_lms.test_pages import be
from tests.practice_lms.tool_side import CLAIM, ENDPOINT, launch_11, launch_13

PACKAGE = {
    "1.0.0": "http://www.imsglobal.org/xsd/imscc/imscp_v1p1",
    "1.1.0": "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1",
    "1.3.0": "http://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1",
}


def make_link(name: str, *, title: str = "", url: str = "", outcome: str = "10.0", root: str = "imslticc_v1p0") -> str:
    """The XML of an LTI link."""
    address = url or f"https://tool.example/launch/a/{name}?x=1&amp;y=2"
    return f"""<cartridge_basiclti_link xmlns="http://www.imsglobal.org/xsd/{root}"
 xmlns:blti="http://www.imsglobal.org/xsd/imsbasiclti_v1p0" xmlns:lticm="http://www.imsglobal.org/xsd/imslticm_v1p0"
 xmlns:lticp="http://www.imsglobal.org/xsd/imslticp_v1p0"><blti:title>{title or name}</blti:title>
 <blti:description>About {name}</blti:description>
 <blti:custom><lticm:property name="assignment_id">{name}</lticm:property>
  <lticm:property name="history">$ResourceLink.id.history</lticm:property></blti:custom>
 <blti:extensions platform="canvas.instructure.com"><lticm:property name="outcome">{outcome}</lticm:property>
 </blti:extensions><blti:launch_url>{address}</blti:launch_url>
 <blti:vendor><lticp:code>tool.example</lticp:code><lticp:name>Tool</lticp:name></blti:vendor>
</cartridge_basiclti_link>"""


def make_cartridge(version: str = "1.3.0", schema: str = "IMS Common Cartridge", **changes: Any) -> bytes:
    """Two modules with a link each, one link beside them, and one that no item names."""
    kind = changes.get("kind", "imsbasiclti_xmlv1p0")
    resources = "".join(
        f'<resource identifier="R-{name}" type="{kind}"><file href="lti/{name}.xml"/></resource>'
        for name in ("loops", "sets", "alone", "unnamed")
    )
    manifest = f"""<?xml version="1.0" encoding="UTF-8"?><manifest identifier="M" xmlns="{PACKAGE[version]}"><metadata>
<schema>{schema}</schema><schemaversion>{version}</schemaversion></metadata><organizations>
<organization identifier="O" structure="rooted-hierarchy"><item identifier="root">
<item identifier="I1"><title>Week &lt;1&gt;</title><item identifier="I2" identifierref="R-loops"><title>Loops</title>
</item><item identifier="I7" identifierref="R-page"><title>A page</title></item></item>
<item identifier="I3"><title>Week 2</title><item identifier="I4"><title>Deeper</title>
<item identifier="I5" identifierref="R-sets"><title>Sets</title></item></item></item>
<item identifier="I6" identifierref="R-alone"><title>Alone</title></item></item></organization></organizations>
<resources>{resources}<resource identifier="R-page" type="webcontent" href="p.html"><file href="p.html"/></resource>
</resources></manifest>"""
    files = {"imsmanifest.xml": manifest, "p.html": "<p>Hello</p>"}
    files |= {f"lti/{name}.xml": make_link(name) for name in ("loops", "sets", "alone", "unnamed")}
    files |= changes.get("files", {})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            if text is not None:
                package.writestr(name, text)
    return content.getvalue()


def send(lms: PracticeLms, course: str, content: bytes, **wish: Any) -> httpx2.Response:
    """Import a file by the API."""
    body = {"course": course, "content": base64.b64encode(content).decode(), **wish}
    return lms.http.post("/api/cartridges", json=body)


@pytest.mark.parametrize("schema", ["IMS Common Cartridge", "IMS Thin Common Cartridge"])
@pytest.mark.parametrize("kind", ["imsbasiclti_xmlv1p0", "imsbasiclti_xmlv1p3"])
def test_links_come_in_their_modules(lms: PracticeLms, course: str, tool13: Tool13, schema: str, kind: str) -> None:
    """Modules keep their titles, links their address, description, custom parameters and points."""
    done = send(lms, course, make_cartridge(schema=schema, kind=kind), tool=tool13.id).json()
    modules = {one["id"]: one["title"] for one in lms.get("modules", course=course)}
    assert list(modules.values()) == ["Week <1>", "Week 2"]
    links = {one["title"]: one for one in lms.get("links", course=course)}
    assert list(links) == ["Loops", "Sets", "Alone", "unnamed"]
    assert done["links"] == [one["id"] for one in links.values()]
    assert [modules.get(one["module_id"]) for one in links.values()] == ["Week <1>", "Week 2", None, None]
    loops = links["Loops"]
    assert loops["url"] == "https://tool.example/launch/a/loops?x=1&y=2"
    assert loops["custom"] == {"assignment_id": "loops", "history": "$ResourceLink.id.history"}
    assert (loops["description"], loops["line_item"]["score_maximum"]) == ("About loops", "10")
    assert [one["title"] for one in done["skipped"]] == ["A page"]


def test_imported_link_launches(lms: PracticeLms, student: str, course: str, tool13: Tool13) -> None:
    """An imported link opens the address of the cartridge, with its custom parameters and its column."""
    done = send(lms, course, make_cartridge(), tool=tool13.id).json()
    claims = launch_13(lms, student, link=done["links"][0])
    assert claims[f"{CLAIM}target_link_uri"] == "https://tool.example/launch/a/loops?x=1&y=2"
    assert claims[f"{CLAIM}custom"]["assignment_id"] == "loops"
    assert claims[ENDPOINT]["lineitem"]


def test_importing_again_changes_what_is_there(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """A second import under the same identifiers makes no second link and keeps ids, and brings what is new."""
    first = send(lms, course, make_cartridge(), tool=tool13.id).json()
    files = {"lti/loops.xml": make_link("loops", url="https://tool.example/launch/new")}
    second = send(lms, course, make_cartridge(files=files), tool=tool13.id).json()
    assert (second["links"], second["modules"]) == ([], [])
    assert second["changed"] == first["links"]
    assert lms.get("links", course=course)[0]["url"] == "https://tool.example/launch/new"


def test_canvas_drops_what_no_item_names(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """A link that the organization does not mention is left out by a Canvas, with the reason (C25)."""
    lms.post("courses", id=course, profile="canvas")
    done = send(lms, course, make_cartridge(), tool=tool13.id).json()
    assert [one["title"] for one in lms.get("links", course=course)] == ["Loops", "Sets", "Alone"]
    assert done["skipped"][-1]["title"] == "R-unnamed"


def test_moodle_takes_old_cartridges_and_forgets(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A Moodle imports 1.0 and 1.1 alone, without custom parameters, module titles and points; a launch still works."""
    lms.post("courses", id=course, profile="moodle")
    refused = send(lms, course, make_cartridge("1.3.0"), tool=tool13.id)
    assert refused.status_code == 400
    assert "Unknown format" in refused.json()["error_description"]
    done = send(lms, course, make_cartridge("1.1.0"), tool=tool13.id).json()
    assert done["version"] == "1.1.0"
    assert lms.get("modules", course=course) == []
    loops = lms.get("links", course=course)[0]
    assert (loops["title"], loops["custom"], loops["line_item"]) == ("Loops", {}, None)
    claims = launch_13(lms, student, link=loops["id"])
    assert set(claims[ENDPOINT]) == {"scope", "lineitems"}
    assert send(lms, course, make_cartridge("1.0.0"), tool=tool13.id).status_code == 200


def test_tool_is_found_by_its_url(lms: PracticeLms, course: str, student: str) -> None:
    """Links belong to the tool with the longest URL that begins theirs; a course without one lists them as left out."""
    host = "https://cc.example"
    files = {f"lti/{one}.xml": make_link(one, url=f"{host}/lti/a/{one}") for one in ("loops", "sets", "alone")}
    files["lti/unnamed.xml"] = make_link("unnamed", url="https://stranger.example/x")
    wide, narrow = Tool11(lms, launch_url=f"{host}/"), Tool11(lms, launch_url=f"{host}/lti/")
    done = send(lms, course, make_cartridge(files=files)).json()
    links = lms.get("links", course=course)
    assert {one["tool_id"] for one in links} == {narrow.id} != {wide.id}
    assert [one["reason"] for one in done["skipped"]][-1].startswith("No tool's URL is a prefix")
    assert launch_11(lms, student, link=links[0]["id"])["custom_assignment_id"] == "loops"


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        make_cartridge(files={"imsmanifest.xml": None}),
        make_cartridge(files={"imsmanifest.xml": "<manifest"}),
        make_cartridge(files={"imsmanifest.xml": '<!DOCTYPE m [<!ENTITY a "b">]><manifest>&a;</manifest>'}),
        make_cartridge(schema="Something else"),
        make_cartridge(files={"../evil.xml": "x"}),
        make_cartridge(files={"/evil.xml": "x"}),
    ],
    ids=range(7),
)
def test_broken_cartridge_is_refused(lms: PracticeLms, course: str, content: bytes) -> None:
    """What is no cartridge, or a dangerous one, is refused with a reason, and nothing is made."""
    answer = send(lms, course, content)
    assert answer.status_code == 400
    assert answer.json()["error_description"]
    assert lms.get("links", course=course) == []


def test_broken_link_is_left_out(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """A link that cannot be read is left out with the reason; the others come."""
    files = {"lti/loops.xml": "<wrong/>", "lti/sets.xml": None, "lti/alone.xml": make_link("alone", outcome="many")}
    done = send(lms, course, make_cartridge(files=files), tool=tool13.id).json()
    assert [one["title"] for one in done["skipped"]] == ["Loops", "A page", "Sets"]
    alone = lms.get("links", course=course)[0]
    assert (alone["title"], alone["line_item"]) == ("Alone", None)


def test_teacher_uploads_a_cartridge(
    lms: PracticeLms,
    browser: httpx2.Client,
    course: str,
    student: str,
    tool13: Tool13,
) -> None:
    """On the course page a teacher uploads the file and reads what came of it; a student may not."""
    for person, status in ((student, 403), (lms.add_person(course, "teacher"), 200)):
        be(browser, person)
        form = {"tool": tool13.id, "csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
        answer = browser.post(f"/courses/{course}/cartridge", data=form, files={"file": ("a.imscc", make_cartridge())})
        assert answer.status_code == status
    assert "4 new links" in answer.text
    assert "Week &lt;1&gt;" in browser.get(f"/courses/{course}").text
