"""Who somebody from a new LMS is, by e-mail address: only where an owner trusts that LMS's addresses (C1).

Both sides have to be proven. An address that an LMS without that trust sent may be anybody's invention, and whoever
invented it first would share the work of the one who comes later.
"""

from __future__ import annotations

from django.db.models import Q

from courseway.lms.models import LmsIdentity
from courseway.orgs.models import Person


def find_trusted_person(organization_pk: int, email: str) -> int | None:
    """The one person of the organization to whom the address belongs; None where it is nobody's or several people's.

    Known by another trusted LMS, or entered here by hand. Whoever signs in here is joined by an e-mailed code only.
    """
    if not email:
        return None
    folded = email.casefold()
    trusted = LmsIdentity.objects.filter(
        platform__organization=organization_pk,
        platform__trusts_emails=True,
        folded_email=folded,
        is_test_user=False,
    )
    by_hand = Q(folded_email=folded, lms_identities=None)
    people = Person.objects.filter(organization=organization_pk, account=None)
    found = list(people.filter(Q(pk__in=trusted.values("person")) | by_hand).values_list("pk", flat=True)[:2])
    return found[0] if len(found) == 1 else None
