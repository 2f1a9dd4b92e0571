"""A browser without a screen and without scripts: cookies, redirects, forms. It carries launches from LMS to tool."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from lxml import html

from tests.practice_lms.running import PracticeLms, public_trust

REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class Page:
    """What was answered in the end, and from where."""

    url: str
    status: int
    text: str
    document: html.HtmlElement = field(repr=False)

    @property
    def marks(self) -> dict[str, str]:
        """The `data-` attributes of the body."""
        body = self.document.find("body")
        found = body.attrib if body is not None else {}
        return {str(name)[5:]: str(value) for name, value in found.items() if str(name).startswith("data-")}

    @property
    def heading(self) -> str:
        return " ".join(self.document.xpath("string(//h1[1])").split())

    def find_form(self, name: str) -> html.FormElement | None:
        forms: list[html.FormElement] = self.document.xpath(f"//form[@data-form='{name}']")
        return forms[0] if forms else None


class PlainBrowser:
    """One person's browser. Each has cookies of its own."""

    def __init__(self, lms: PracticeLms, person: str, *, verify: ssl.SSLContext | None = None) -> None:
        self.lms, self.person = lms, person
        trust = verify or public_trust()
        self.http = httpx2.Client(timeout=30, trust_env=False, follow_redirects=False, verify=trust)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> PlainBrowser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, link: str, **wish: Any) -> Page:
        """Opens a link of the LMS, and whatever the tool answers."""
        return self.carry(self.lms.post("launch", person=self.person, link=link, **wish))

    def carry(self, begun: Mapping[str, Any]) -> Page:
        """Carries a launch or a selection that the LMS's API began: one form in LTI 1.1, the login dance in 1.3."""
        fields = [tuple(pair) for pair in begun["fields"]]
        if begun["version"] == "1.1":
            return self.send("POST", begun["url"], fields)
        login = self._request(begun["method"], begun["url"], fields)
        assert login.status_code == 302, f"{login.status_code} {login.text}"
        headers = {"X-Practice-Person": self.person, "Accept": "application/json"}
        answered = self.http.get(urljoin(begun["url"], login.headers["location"]), headers=headers)
        assert answered.status_code == 200, answered.text
        message = answered.json()
        return self.send("POST", message["url"], list(message["fields"].items()))

    def get(self, url: str) -> Page:
        return self.send("GET", url, [])

    def send(self, method: str, url: str, fields: list[tuple[str, str]], *, referrer: str = "") -> Page:
        """Sends a form and follows redirects, as browsers do; `referrer` is the page of the same site that has it."""
        for _ in range(10):
            answer = self._request(method, url, fields, {"Referer": referrer} if referrer else {})
            if answer.status_code not in REDIRECTS:
                return Page(url, answer.status_code, answer.text, html.document_fromstring(answer.text or "<html/>"))
            url = urljoin(url, answer.headers["location"])
            method, fields = "GET", []
        raise AssertionError(f"{url} leads to itself.")

    def submit(self, page: Page, name: str, values: Mapping[str, str]) -> Page:
        """Fills in and sends the form with this `data-form`."""
        form = page.find_form(name)
        assert form is not None, f"{page.url} has no form {name!r}: {page.heading}"
        return self._fill(page, form, values)

    def submit_form(self, page: Page, ending: str, values: Mapping[str, str]) -> Page:
        """Fills in and sends the first form whose address ends like this."""
        forms = [form for form in page.document.forms if (form.action or "").endswith(ending)]
        assert forms, f"{page.url} has no form for {ending}: {page.heading}\n{page.text}"
        return self._fill(page, forms[0], values)

    def _fill(self, page: Page, form: html.FormElement, values: Mapping[str, str]) -> Page:
        fields = [(name, value) for name, value in form.form_values() if name not in values]
        url = urljoin(page.url, form.action)
        is_same_site = urlsplit(url)[:2] == urlsplit(page.url)[:2]
        everything = [*fields, *values.items()]
        return self.send(form.method.upper(), url, everything, referrer=page.url if is_same_site else "")

    def hand_in(self, page: Page, answers: Mapping[str, str]) -> Page:
        """Answers the questions of an assignment's page and hands the work in."""
        if page.find_form("start") is not None:
            page = self.submit(page, "start", {})
        page = self.submit(page, "submit", answers)
        if page.find_form("confirm") is not None:
            page = self.submit(page, "confirm", {})
        assert page.status == 200, page.text
        return page

    def _request(
        self, method: str, url: str, fields: list[tuple[str, str]], more: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        # The header stands for the session that this person has at the LMS.
        headers = {"X-Practice-Person": self.person} if url.startswith(self.lms.public_url) else dict(more or {})
        if method.upper() == "GET":
            return self.http.get(url, params=dict(fields) or None, headers=headers)
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        return self.http.post(url, data=data, headers=headers)
