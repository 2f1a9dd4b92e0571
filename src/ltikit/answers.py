"""Bodies of answers as JSON of a stranger: size and depth limited, numbers exact."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

from ltikit.errors import ServiceUnavailableError
from ltikit.http import Response
from ltikit.plain_text import replace_illegal

MAX_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of one page of line items, results or members."""

# Escapes of characters that no database and no page can hold: control characters, halves of pairs, non-characters.
_ODD_ESCAPES = re.compile(rb"\\u(?:00[01]|[dD][89a-fA-F]|[fF]{3}[eEfF])")


def load_json(body: bytes) -> Any:
    """The body as JSON, numbers exact, with U+FFFD in place of each character that XML and databases cannot hold.

    Raises `ValueError` or `RecursionError` for what is no JSON, or nested too deeply.
    """
    value = json.loads(body, parse_float=Decimal)
    return _mend(value) if _ODD_ESCAPES.search(body) else value


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return replace_illegal(value)
    if isinstance(value, list):
        return [_mend(one) for one in value]
    if isinstance(value, dict):
        return {replace_illegal(name): _mend(one) for name, one in value.items()}
    return value


def read_json(response: Response) -> Any:
    """The body as JSON whatever its content type (Moodle labels it text/html), numbers exact.

    Raises `ServiceUnavailableError` for what is too long or no JSON.
    """
    if len(response.body) > MAX_ANSWER:
        raise ServiceUnavailableError("the answer is too long", platform_status=response.status)
    try:
        return load_json(response.body)
    except (ValueError, RecursionError):
        raise ServiceUnavailableError("the answer is not JSON", platform_status=response.status) from None
