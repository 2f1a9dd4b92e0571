"""How an organization comes into being, with its first owner."""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from courseway.orgs.models import Account, Member, Organization
from courseway.orgs.sign_in_links import make_sign_in_link


def create_organization(
    name: str, owner_email: str, *, password: str | None, now: datetime
) -> tuple[Organization, Account, str | None]:
    """An organization and its owner, by an operator, for whom the address counts as proven.

    An account that exists keeps its password. The third value is the path of a sign-in link, for an owner who has no
    password yet. Raises ValidationError when the name or the address cannot be used.
    """
    name = name.strip()
    if not 0 < len(name) <= 200:
        raise ValidationError(_("An organization needs a name of at most 200 characters."))
    owner_email = clean_email(owner_email)
    with transaction.atomic():
        organization = _create_with_free_slug(name)
        account = get_or_create_account(owner_email, password=password)
        Member.objects.create(organization=organization, account=account, role=Member.Role.OWNER)
        path = None if account.has_usable_password() else make_sign_in_link(account, now=now)
    return organization, account, path


def get_or_create_account(email: str, *, password: str | None = None) -> Account:
    """The account of an address that counts as proven. A password is set for a new account only."""
    account = Account.objects.filter(email__iexact=email).first()
    if account is None:
        account = Account.objects.create_user(email, password)
    address, _is_new = EmailAddress.objects.get_or_create(
        user=account, email=account.email, defaults={"verified": True, "primary": True}
    )
    if not address.verified:
        address.verified = True
        address.save(update_fields=["verified"])
    return account


def clean_email(email: str) -> str:
    """The address as accounts keep it. Raises ValidationError if it is none."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise ValidationError(
            _("%(email)s is not an e-mail address.") % {"email": email or _("An empty text")}
        ) from None
    return email


def _create_with_free_slug(name: str) -> Organization:
    base = slugify(name)[:50].strip("-") or "organization"
    taken = set(Organization.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    for number in range(1, 10_000):
        slug = base if number == 1 else f"{base}-{number}"
        if slug in taken:
            continue
        try:
            with transaction.atomic():
                return Organization.objects.create(slug=slug, name=name)
        except IntegrityError:
            continue  # taken a moment ago
    raise ValidationError(_("There are too many organizations of this name. Choose another one."))
