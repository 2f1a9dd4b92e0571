"""'Add from tool' in a real browser: the tool in a frame or in the window, then the links on the course page."""

import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from oauthlib.oauth1 import Client

from tests.looks import SERIOUS, each_look, find_faults
from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.test_browser import LOOKS, be, page  # noqa: F401 - fixtures
from tests.practice_lms.tool_side import CLAIM, FORM_TYPE, LINK_TYPE, LINKING

pytestmark = pytest.mark.browser


class PickerTool:
    """A tool on another host than the LMS that offers one button: choose two links."""

    def __init__(self, auth_url: str, key: RSAKey) -> None:
        self.key, self.secrets = key, dict[str, str]()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Login, launch or selection."""
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(parse_qsl(body, keep_blank_values=True))
                address = f"http://{self.headers['Host']}"
                content = owner.answer(self.path, form, address, auth_url).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, form: dict[str, str], address: str, auth_url: str) -> str:
        """The page for a request of the browser."""
        if path == "/login":
            request = {
                **dict.fromkeys(("state", "nonce"), secrets.token_hex(8)),
                "scope": "openid",
                "response_type": "id_token",
                "response_mode": "form_post",
                "prompt": "none",
                **{name: form[name] for name in ("client_id", "login_hint", "lti_message_hint")},
                "redirect_uri": f"{address}/launch",
            }
            return f"<script>location.href = {json.dumps(f'{auth_url}?{urlencode(request)}')}</script>"
        if "ext_content_return_url" in form:
            wish = {"return_type": "lti_launch_url", "url": f"{address}/a/1", "title": "Loops"}
            back = html.escape(f"{form['ext_content_return_url']}&{urlencode(wish)}")
            return f'<a id="choose" href="{back}">Choose</a>'
        if form.get("lti_message_type") == "ContentItemSelectionRequest":
            return self.offer_form(form["content_item_return_url"], self.sign_items(form, address))
        claims = json.loads(jws.deserialize_compact(form["id_token"], self.public_key(form)).payload)
        if claims[f"{CLAIM}message_type"] != "LtiDeepLinkingRequest":
            return f"<p id=got>{html.escape(claims[f'{CLAIM}resource_link']['title'])}</p>"
        settings = claims[f"{LINKING}deep_linking_settings"]
        return self.offer_form(settings["deep_link_return_url"], {"JWT": self.sign_links(claims, settings, address)})

    def public_key(self, form: dict[str, str]) -> RSAKey:
        """The LMS's key, given to this tool by the test."""
        return RSAKey.import_key(json.loads(self.secrets["lms"]))

    def sign_links(self, claims: dict[str, Any], settings: dict[str, Any], address: str) -> str:
        """Two links, or one where only one is wanted."""
        items = [
            {"type": "ltiResourceLink", "url": f"{address}/launch", "title": title, "lineItem": {"scoreMaximum": 10}}
            for title in (("Loops", "Sets") if settings["accept_multiple"] else ("Loops",))
        ]
        now = int(time.time())
        answer = {
            "iss": claims["aud"],
            "aud": claims["iss"],
            "iat": now,
            "exp": now + 300,
            "nonce": secrets.token_hex(8),
            f"{CLAIM}message_type": "LtiDeepLinkingResponse",
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}deployment_id": claims[f"{CLAIM}deployment_id"],
            f"{LINKING}data": settings["data"],
            f"{LINKING}content_items": items,
        }
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, answer, self.key)

    def sign_items(self, form: dict[str, str], address: str) -> dict[str, str]:
        """The same by Content-Item 1.0."""
        graph = [
            {"@type": "LtiLinkItem", "mediaType": LINK_TYPE, "url": f"{address}/a/{one}", "title": one}
            for one in ("Loops", "Sets")
        ]
        items = json.dumps({"@context": "http://purl.imsglobal.org/ctx/lti/v1/ContentItem", "@graph": graph})
        answer = {"lti_message_type": "ContentItemSelection", "lti_version": "LTI-1p0", "data": form["data"]}
        key = form["oauth_consumer_key"]
        client = Client(key, client_secret=self.secrets[key], callback_uri="about:blank", signature_type="BODY")
        body = urlencode({**answer, "content_items": items})
        _, _, signed = client.sign(
            form["content_item_return_url"], "POST", body=body, headers={"Content-Type": FORM_TYPE}
        )
        return dict(parse_qsl(str(signed), keep_blank_values=True))

    def offer_form(self, url: str, fields: dict[str, str]) -> str:
        """The button that sends the answer."""
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
        )
        return f'<form method="post" action="{html.escape(url)}">{inputs}<button id="choose">Choose</button></form>'


@pytest.fixture
def picker(lms: PracticeLms, keyset: KeysetServer) -> Iterator[PickerTool]:
    """The tool, which knows the key of the LMS."""
    tool = PickerTool(f"{lms.url}/lti/auth", keyset.key)
    tool.secrets["lms"] = json.dumps(lms.http.get("/lti/keys").json()["keys"][0])
    yield tool
    tool.stop()


def add_tool(lms: PracticeLms, keyset: KeysetServer, picker: PickerTool, kind: str) -> Tool11 | Tool13:
    """The tool as the LMS knows it, by one of the three ways."""
    placements = {"link_selection": f"{picker.url}/select", "editor_button": f"{picker.url}/select"}
    values: dict[str, Any] = {"title": f"Picker {kind}", "placements": placements, "launch_url": f"{picker.url}/launch"}
    if kind == "deep_linking":
        addresses = {"login_url": f"{picker.url}/login", "redirect_urls": [f"{picker.url}/launch"]}
        return Tool13(lms, keyset, **{**values, **addresses})
    tool = Tool11(lms, **values, options={"selection_method": kind})
    picker.secrets[tool.key] = tool.secret
    return tool


# First, since pages get longer by what other tests leave in the LMS.
def test_new_pages_are_usable(
    lms: PracticeLms,
    page: Any,  # noqa: F811
    course: str,
    student: str,
    tool11: Tool11,
) -> None:
    """Course, text page, profiles, imports and refusals are no wider than the screen; axe finds nothing serious."""
    placements = {"link_selection": "", "assignment_selection": "", "editor_button": "", "course_navigation": ""}
    lms.post("tools", id=tool11.id, placements=placements, profile="canvas")
    module = lms.post("modules", course=course, title="A rather long title of a module for narrow columns")["id"]
    tool11.place_link(course, module=module, state="unpublished")
    text_page = lms.post("pages", course=course, title="Welcome", text="Read this.\n\nThen go on.")["id"]
    tool11.place_link(course, page=text_page)
    lms.post("violations", course=lms.add_course())
    teacher = lms.add_person(course, "teacher")
    lms.post("selections", course=course, person=teacher, tool=tool11.id)
    be(page, lms, teacher)
    addresses = [f"courses/{course}", f"courses/{course}/pages/{text_page}", "admin/profiles", "admin/messages"]
    addresses += ["admin/profiles?profile=canvas", f"admin/tools?tool={tool11.id}", "admin/courses"]
    for address in addresses:
        page.goto(f"{lms.url}/{address}")
        page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true })")
        for look in each_look(page, LOOKS):
            assert find_faults(page, f"{address} {look}", impacts=SERIOUS) == []


@pytest.mark.parametrize("place", ["frame", "window"])
@pytest.mark.parametrize("kind", ["deep_linking", "content_item", "ext_content_return_url"])
def test_links_are_chosen_in_the_tool(
    lms: PracticeLms,
    page: Any,  # noqa: F811
    course: str,
    keyset: KeysetServer,
    picker: PickerTool,
    kind: str,
    place: str,
) -> None:
    """A teacher clicks 'Add from tool', chooses in the tool, and finds the links in the module that was wished."""
    tool = add_tool(lms, keyset, picker, kind)
    module = lms.post("modules", course=course, title="Week 1")["id"]
    be(page, lms, lms.add_person(course, "teacher"))
    page.goto(f"{lms.url}/courses/{course}")
    page.select_option('select[name="module"]', module)
    page.select_option('form[action$="/selections"] select[name="in"]', place)
    page.click(f'button[name="pick"][value="link_selection:{tool.id}"]')
    inner = page.frame_locator("iframe") if place == "frame" else page
    inner.locator("#choose").click()
    inner.locator('[data-selection="answered"]').wait_for()
    inner.locator("text=To the course").click()
    page.wait_for_url(f"**/courses/{course}")
    titles = page.locator(f'[data-module="{module}"] h3').all_inner_texts()
    assert titles == (["Loops"] if kind == "ext_content_return_url" else ["Loops", "Sets"])


def test_editor_button_puts_links_into_a_page(
    lms: PracticeLms,
    page: Any,  # noqa: F811
    course: str,
    student: str,
    keyset: KeysetServer,
    picker: PickerTool,
) -> None:
    """A teacher makes a page, inserts a link from the tool, and a student opens it from there."""
    tool = add_tool(lms, keyset, picker, "deep_linking")
    be(page, lms, lms.add_person(course, "teacher"))
    page.goto(f"{lms.url}/courses/{course}")
    page.click("text=New page")
    page.fill('details[open] input[name="title"]', "Welcome")
    page.fill('details[open] textarea[name="text"]', "Read this first.")
    page.click("text=Make the page")
    address = page.url
    page.click(f'button[value="editor_button:{tool.id}"]')
    page.frame_locator("iframe").locator("#choose").click()
    page.frame_locator("iframe").locator('[data-selection="answered"]').wait_for()
    be(page, lms, student)
    assert page.locator("[data-link]").count() == 0, "a link in a page does not stand among the activities"
    page.goto(address)
    page.click("text=Loops")
    assert page.locator("#got").inner_text() == "Loops"
