"""registration-link create."""

from __future__ import annotations

from argparse import Namespace

from django.utils import timezone

from courseway.cli.answers import Answer, list_facts
from courseway.cli.organizations import get_organization
from courseway.lms.registration_links import make_registration_link


def create_registration_link(wish: Namespace) -> Answer:
    link, url = make_registration_link(get_organization(wish.org), made_by=None, now=timezone.now())
    expires_at = link.expires_at.isoformat(timespec="seconds")
    facts = [("Registration URL, for the LMS", url), ("Works once, until", expires_at)]
    return Answer({"url": url, "expires_at": expires_at}, list_facts(facts))
