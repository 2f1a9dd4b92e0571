"""How points are written on a course's pages."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def as_points(points: Decimal) -> str:
    """Points with at most two decimals and no idle zeros."""
    places = max(0, -int(points.normalize().as_tuple().exponent))
    return number_format(points, decimal_pos=min(places, 2))
