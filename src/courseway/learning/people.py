"""The people of an organization as its owners look for them: by name, address or what an LMS calls them."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from courseway.lms.models import LmsIdentity
from courseway.orgs.models import Organization, Person

PEOPLE_ON_PAGE = 50


def find_people(organization: Organization, search: str = "") -> QuerySet[Person]:
    """Those whose names, addresses or ids hold all the words, with their LMS identities."""
    people = Person.objects.filter(organization=organization)
    for word in search.split()[:8]:
        identities = LmsIdentity.objects.filter(person=OuterRef("pk"))
        named = Q(name__icontains=word) | Q(email__icontains=word) | Q(lms_user_id=word) | Q(lti_id=word)
        people = people.filter(
            Q(name__icontains=word)
            | Q(email__icontains=word)
            | Q(public_id__istartswith=word)
            | Q(account__email__icontains=word)
            | Exists(identities.filter(named))
        )
    known = LmsIdentity.objects.select_related("platform").order_by("platform__name", "pk")
    return (
        people.select_related("account")
        .prefetch_related(Prefetch("lms_identities", known))
        .annotate(courses=Count("enrollments", filter=Q(enrollments__active=True), distinct=True))
        .order_by("name", "email", "pk")
    )


def find_namesakes(person: Person) -> QuerySet[Person]:
    """Others with one of this person's addresses: whom an owner may want to join with them. Nothing proves it."""
    addresses = {person.folded_email, *person.lms_identities.values_list("folded_email", flat=True)} - {""}
    same = LmsIdentity.objects.filter(platform__organization=person.organization_id, folded_email__in=addresses)
    others = Person.objects.filter(organization=person.organization_id).exclude(pk=person.pk)
    return others.filter(Q(folded_email__in=addresses) | Q(pk__in=same.values("person"))).order_by("name", "pk")
