"""How pages write numbers and times."""

import time
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.template import Library

register = Library()


@register.filter
def points(value: Decimal | str | None) -> str:
    """At most two decimals: 22.5, 18.33, 25."""
    if value in (None, ""):
        return "–"
    text = format(Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
    return text.rstrip("0").rstrip(".")


@register.filter
def ago(moment: float) -> str:
    """How long ago, in words."""
    seconds = max(0, int(time.time() - moment))
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now" if seconds < 5 else f"{seconds} seconds ago"


@register.filter
def exact_time(moment: float) -> str:
    """The moment itself, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")
