"""Bodies of answers as JSON of a stranger: size and depth limited, numbers exact."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from ltikit.errors import ServiceUnavailableError
from ltikit.http import Response

MAX_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of one page of line items, results or members."""


def read_json(response: Response) -> Any:
    """The body as JSON whatever its content type (Moodle labels it text/html), numbers exact.

    Raises `ServiceUnavailableError` for what is too long or no JSON.
    """
    if len(response.body) > MAX_ANSWER:
        raise ServiceUnavailableError("the answer is too long", platform_status=response.status)
    try:
        return json.loads(response.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ServiceUnavailableError("the answer is not JSON", platform_status=response.status) from None
