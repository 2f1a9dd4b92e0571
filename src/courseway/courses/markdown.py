"""Markdown of authors as HTML that is safe to show: no markup of their own, no scripts, no pictures from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A page's title is the h2 above the text, so the author's first level is the third.
HEADING_SHIFT = 2
MAX_CACHED = 20_000

ALLOWED_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("a", "table", "thead", "tbody", "tr", "th", "td", "div"),
}
ALLOWED_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


def _shift_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"


def _show_image_as_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """A picture from another host would tell that host who reads; a link leaves that to the reader."""
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    text = renderer.renderInlineAsText(token.children, options, env) or source
    return f'<a href="{_escape(source)}">{_escape(text)}</a>'


def _open_table(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return '<div class="table-wrap"><table>'


def _close_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return "</table></div>"


def _escape(text: str) -> str:
    return nh3.clean_text(text)


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.push("shift_headings", _shift_headings)
    parser.add_render_rule("image", _show_image_as_link)
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", _close_table)
    return parser


_PARSER = _make_parser()


def render_markdown(text: str) -> SafeString:
    """The HTML of an author's text. Links open in a new tab and tell the other side nothing about this one."""
    html = _render_remembered(text) if len(text) <= MAX_CACHED else _render(text)
    return mark_safe(html)  # cleaned by nh3 with the lists above


def _render(text: str) -> str:
    return nh3.clean(
        _PARSER.render(text),
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        allowed_classes={"div": {"table-wrap"}},
    )


_render_remembered = lru_cache(maxsize=512)(_render)
