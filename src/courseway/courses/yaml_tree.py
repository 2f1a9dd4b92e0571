"""YAML as a plain tree with line numbers, built so that no document can hurt.

Every scalar stays the text that its author wrote: what is a number, a date or a yes is for the reader of a field to
say, so `3.10` stays `3.10` and `no` stays an option of a question. No tag makes an object, nesting is bounded, and an
alias shares a finished node, so that a document can neither run code nor contain itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from django.utils.translation import gettext as _

LoaderType = type[yaml.SafeLoader] | type["yaml.CSafeLoader"]

MAX_BYTES = 2_000_000
MAX_DEPTH = 30
PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
}
NULLS = {"", "~", "null", "Null", "NULL"}


class YamlError(Exception):
    """The text is not YAML that we read. `line` counts from 1; 0 when the whole text is meant."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(slots=True)
class Scalar:
    text: str
    is_quoted: bool
    line: int

    @property
    def is_null(self) -> bool:
        return not self.is_quoted and self.text in NULLS


@dataclass(slots=True)
class Sequence:
    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    line: int
    entries: dict[str, Node] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def read_tree(text: str) -> Node:
    """The one document in `text` as a tree; YamlError otherwise."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlError(_("The text is larger than %(limit)s MB.") % {"limit": MAX_BYTES // 1_000_000})
    root = _Builder().build(_events(text))
    if root is None:
        raise YamlError(_("The text is empty."))
    return root


def _events(text: str) -> Iterator[yaml.Event]:
    loader: LoaderType = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(_("This is not YAML: %(words)s.") % {"words": words}, mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, UnicodeError, ValueError, OverflowError) as error:
        # A character that YAML forbids, or an escape for one that does not exist.
        raise YamlError(_("This is not YAML: it holds a character that YAML does not allow.")) from error


class _Builder:
    """Puts events together without recursion: depth is counted, not felt by the stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[tuple[Sequence | Mapping, str | None]] = []
        self.keys: list[Scalar | None] = []  # the key that waits for its value, one for each open node
        self.anchors: dict[str, Node] = {}
        self.documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise YamlError(_("There is a second document (---); a course is one document."), line)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self.anchors:
                    raise YamlError(_("*%(name)s stands for nothing yet.") % {"name": event.anchor}, line)
                self._place(self.anchors[event.anchor], line)
            elif isinstance(event, yaml.ScalarEvent):
                _check_tag(event.tag, line)
                self._finish(Scalar(event.value, bool(event.style), line), event.anchor)
            elif isinstance(event, yaml.CollectionStartEvent):
                _check_tag(event.tag, line)
                if len(self.open) >= MAX_DEPTH:
                    raise YamlError(_("This is nested too deeply."), line)
                node = Sequence(line) if isinstance(event, yaml.SequenceStartEvent) else Mapping(line)
                self.open.append((node, event.anchor))
                self.keys.append(None)
            elif isinstance(event, yaml.CollectionEndEvent):
                closed, anchor = self.open.pop()
                self.keys.pop()
                self._finish(closed, anchor)
        return self.root

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        self._place(node, node.line)

    def _place(self, node: Node, line: int) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1][0]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is not None:
            parent.entries[key.text] = node
            self.keys[-1] = None
        elif not isinstance(node, Scalar):
            raise YamlError(_("A key must be a word, not a list or a mapping."), line)
        elif node.text in parent.entries:
            raise YamlError(_("“%(key)s” stands here twice.") % {"key": node.text[:80]}, line)
        else:
            self.keys[-1] = node


def _check_tag(tag: str | None, line: int) -> None:
    if tag not in (None, "!") and tag not in PLAIN_TAGS:
        raise YamlError(_("The tag %(tag)s is not allowed.") % {"tag": str(tag)[:80]}, line)
