"""Who teaches a course that is made here, not by a launch."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from courseway.orgs.models import Account, Member, Organization, Person


class TeacherError(Exception):
    """Nobody can be made the teacher by this e-mail; the text says why."""


def find_or_make_teacher(organization: Organization, email: str) -> Person:
    """The person of the account with this e-mail; an operator's word is enough to make both.

    A new account has no password: its owner signs in by an e-mailed code, which also proves the address. A person
    whom an LMS brought with the same e-mail is somebody else until that is proven, and stays untouched.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise TeacherError(_("“%(email)s” is not an e-mail address.") % {"email": email}) from error
    account = Account.objects.filter(email__iexact=email).first()
    if account is None:
        account = Account.objects.create_user(email)
        EmailAddress.objects.create(user=account, email=email, primary=True, verified=False)
    Member.objects.get_or_create(organization=organization, account=account, defaults={"role": Member.Role.TEACHER})
    return person_of_account(organization, account)


def person_of_account(organization: Organization, account: Account) -> Person:
    """The account's own person in the organization, made on first need."""
    person, _is_new = Person.objects.get_or_create(
        organization=organization, account=account, defaults={"name": account.name, "email": account.email}
    )
    return person
