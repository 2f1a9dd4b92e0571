"""Authors' Markdown as HTML that is safe to show."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courseway.courses.markdown import ALLOWED_TAGS, render_markdown


class _TagList(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def list_tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The tags and attributes that a browser would see."""
    reader = _TagList()
    reader.feed(html)
    reader.close()
    return reader.tags


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Think **first**, then `code`.", "<p>Think <strong>first</strong>, then <code>code</code>.</p>\n"),
        ("# One\n\n##### Five", "<h3>One</h3>\n<h6>Five</h6>\n"),
        ("~~no~~", "<p><s>no</s></p>\n"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>\n'),
    ],
)
def test_what_authors_write(text: str, html: str) -> None:
    """The usual Markdown works; an author's first heading is the third level, below the title of the page."""
    assert render_markdown(text) == html


def test_tables_scroll_in_their_own_box() -> None:
    """A wide table does not widen the page of a phone."""
    assert render_markdown("|a|\n|-|\n|1|").startswith('<div class="table-wrap"><table>')


def test_links_open_elsewhere_and_tell_nothing() -> None:
    """A link leaves this page open, and the other side neither reaches back nor learns where it was."""
    html = render_markdown("[x](https://example.org/?a=1&b=2)")
    assert 'href="https://example.org/?a=1&amp;b=2"' in html
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer"' in html


def test_pictures_become_links() -> None:
    """A picture from another host would tell that host who reads."""
    html = render_markdown("![a chart](https://example.org/a.png)")
    assert "<img" not in html
    assert ">a chart</a>" in html
    assert 'href="https://example.org/a.png"' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](javascript:alert(1))",
        '[x](https://e.example "a\\" onmouseover=alert(1)")',
        '```"><script>\n</script>\n```',
        '<https://e.example/"onclick=alert(1)>',
    ],
)
def test_nothing_that_runs(text: str) -> None:
    """Markup and scripts of authors are shown as text, never obeyed."""
    for tag, attributes in list_tags(render_markdown(text)):
        assert tag in ALLOWED_TAGS
        assert set(attributes) <= {"href", "title", "target", "rel", "start", "class"}
        assert (attributes.get("href") or "https:").startswith("https:")


@given(st.text(st.sampled_from("<>&\"'`*_[]()!#|-=\n ax:/~\\\x00"), max_size=60))
def test_only_known_tags_come_out(text: str) -> None:
    """Whatever is written, only tags of the list come out."""
    assert {tag for tag, _attributes in list_tags(render_markdown(text))} <= ALLOWED_TAGS
