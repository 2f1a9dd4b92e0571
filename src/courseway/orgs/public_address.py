"""Addresses for mails: from PUBLIC_URL, never from the Host of whoever asked."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse


def public_address(name: str, *arguments: str) -> str:
    """The full address of a page. Within a request `reverse` has put PUBLIC_URL's own path in front already."""
    public = urlsplit(settings.PUBLIC_URL)
    path = reverse(name, args=arguments)
    if not path.startswith(f"{settings.PUBLIC_PATH}/"):
        path = settings.PUBLIC_PATH + path
    return f"{public.scheme}://{public.netloc}{path}"
