"""Bodies of answers as XML of a stranger: no document types, no entities, no network, size limited."""

from __future__ import annotations

from typing import Final

from lxml import etree

from ltikit.errors import ServiceUnavailableError
from ltikit.http import Response

MAX_ANSWER: Final = 256 * 1024
"""Bytes of an answer that are read, unless the caller expects more."""


def parse_xml(response: Response, *, max_bytes: int = MAX_ANSWER) -> etree._Element:
    """The root of the body. Raises `ServiceUnavailableError` for what is too long, no XML, or has a document type."""
    if len(response.body) > max_bytes:
        raise unreadable(response, f"the answer has {len(response.body)} bytes, more than {max_bytes}")
    # A parser of its own for each answer: lxml's parsers keep state and are not shared between threads.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    body = response.body.removeprefix(b"\xef\xbb\xbf").strip()  # PHP platforms print line ends before the XML
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise unreadable(response, "the answer is not XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise unreadable(response, "the answer has a document type")
    return root


def unreadable(response: Response, detail: str) -> ServiceUnavailableError:
    """The error for an answer that nobody can read, with its status."""
    return ServiceUnavailableError(f"HTTP {response.status}: {detail}", platform_status=response.status)
