"""A browser without scripts: keeps cookies, follows redirects, fills in forms and sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2
from lxml import html

MAX_STEPS = 10


@dataclass(frozen=True)
class Form:
    """A form as it would be posted: `fields` in the order of the page."""

    url: str
    fields: tuple[tuple[str, str], ...]
    is_hidden: bool

    def value(self, name: str) -> str:
        """What a field holds."""
        return dict(self.fields)[name]

    def changed(self, **values: str) -> Form:
        """The form with other values in some of its fields, as somebody who tampers would send it."""
        assert values.keys() <= dict(self.fields).keys()
        fields = tuple((name, values.get(name, value)) for name, value in self.fields)
        return Form(self.url, fields, self.is_hidden)


class Page:
    """An answer as a browser holds it."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.url = str(answer.url)
        self.status = answer.status_code
        self.text = answer.text
        self._tree = html.document_fromstring(self.text or "<html><body></body></html>")

    @property
    def marks(self) -> dict[str, str]:
        """The `data-…` attributes of the body, without `data-`."""
        attributes = self._tree.body.attrib
        return {name.removeprefix("data-"): value for name, value in attributes.items() if name.startswith("data-")}

    @property
    def words(self) -> str:
        """What is to be read on the page."""
        return " ".join(self._tree.text_content().split())

    def find_form(self, kind: str = "") -> Form | None:
        """The form with this `data-form`, or the page's first one."""
        for form in self._tree.forms:
            if not kind or form.get("data-form") == kind:
                return self._read_form(form)
        return None

    def find_form_to(self, ending: str) -> Form:
        """The form whose address ends so."""
        return next(self._read_form(form) for form in self._tree.forms if (form.get("action") or "").endswith(ending))

    def _read_form(self, form: Any) -> Form:
        seen = [field for field in form.inputs if field.get("type") != "hidden" and field.tag != "button"]
        buttons = [field for field in seen if field.get("type") in ("submit", "button")]
        return Form(
            url=urljoin(self.url, form.get("action") or ""),
            fields=tuple((name, value or "") for name, value in form.form_values()),
            is_hidden="display:none" in (form.get("style") or "").replace(" ", "") or len(seen) == len(buttons),
        )


class Browser:
    """One person's browser. Use as a context manager."""

    def __init__(self) -> None:
        self._client = httpx2.Client(timeout=30, trust_env=False)
        self.last_form: Form | None = None  # the last form of one page that was sent to the site of another

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def open(self, url: str) -> Page:
        """Open an address; redirects and pages of one hidden form are passed through, as scripts would."""
        return self._arrive(self._client.get(url))

    def send(self, form: Form, answers: Mapping[str, str] | None = None) -> Page:
        """Send a form from a page of its own site, with these answers typed in or chosen."""
        typed = answers or {}
        fields = [(name, value) for name, value in form.fields if name not in typed] + list(typed.items())
        return self._arrive(self._post(form.url, fields, source=form.url))

    def _post(self, url: str, fields: Iterable[tuple[str, str]], *, source: str) -> httpx2.Response:
        place = urlsplit(source)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"{place.scheme}://{place.netloc}",
        }
        return self._client.post(url, content=urlencode(list(fields)), headers=headers)

    def _arrive(self, answer: httpx2.Response) -> Page:
        for _step in range(MAX_STEPS):
            if answer.has_redirect_location:
                answer = self._client.get(urljoin(str(answer.url), answer.headers["location"]))
                continue
            page = Page(answer)
            form = page.find_form()
            if form is None or not form.is_hidden or urlsplit(form.url).netloc == urlsplit(page.url).netloc:
                return page
            self.last_form = form
            answer = self._post(form.url, form.fields, source=page.url)
        raise AssertionError(f"it leads from one page to the next without end, at last {answer.url}")


def hand_in(browser: Browser, page: Page, answers: Mapping[str, str]) -> Page:
    """Answer the questions of an assignment's page and hand in."""
    assert page.status == 200
    form = page.find_form("submit")
    assert form is not None, page.words
    done = browser.send(form, answers)
    assert done.status == 200
    assert done.find_form("submit") is None, done.words
    return done
