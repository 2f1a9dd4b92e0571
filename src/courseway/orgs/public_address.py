"""Addresses for mails: from PUBLIC_URL, never from the Host of whoever asked."""

from __future__ import annotations

from django.conf import settings
from django.urls import get_script_prefix, reverse


def public_address(name: str, *arguments: str) -> str:
    """The full address of a page, whatever path this request came under."""
    path = reverse(name, args=arguments)[len(get_script_prefix()) :]
    return f"{settings.PUBLIC_URL}/{path}"
