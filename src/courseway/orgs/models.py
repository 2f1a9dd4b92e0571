"""Who owns what: accounts sign in, persons come from an LMS, organizations hold both apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from courseway.orgs.ids import new_id

FOLDED_LENGTH = 765  # of an address without case: folding may make three characters of one


class AccountManager(BaseUserManager["Account"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Account:
        account = self.model(email=email.strip().lower(), **fields)
        account.set_password(password)
        account.save(using=self._db)
        return account

    def get_by_natural_key(self, username: str | None) -> Account:
        return self.get(email__iexact=username or "")


class Account(AbstractBaseUser):
    """Somebody who signs in here, in the whole installation; reached by verified addresses only."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    objects: ClassVar[AccountManager] = AccountManager()

    def __str__(self) -> str:
        return self.name or self.email


class Organization(models.Model):
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=200)
    # Which field of a launch names a student in exports (A7): a standard one or any parameter that the LMS sends.
    lti_id_field = models.CharField(_("LTI ID"), max_length=100, default="user_id")
    # What new courses begin with (H2).
    releases_grades_automatically = models.BooleanField(_("Release grades automatically in new courses"), default=False)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """What an account may do in an organization."""

    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        TEACHER = "teacher", _("teacher")
        MEMBER = "member", _("member")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="members")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "account"], name="one_membership_per_account")]

    def __str__(self) -> str:
        return f"{self.account} · {self.role}"


class Person(models.Model):
    """Somebody known in one organization. Identities in LMSs hang on it; an account joins it only by proof."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="people")
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, blank=True, related_name="people")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=255, blank=True)
    # The same without case (`str.casefold`), to be found by; whoever writes `email` past `save` writes both.
    folded_email = models.CharField(max_length=FOLDED_LENGTH, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "account"],
                condition=models.Q(account__isnull=False),
                name="one_person_per_account",
            )
        ]
        indexes = [models.Index(fields=["organization", "folded_email"], name="person_by_email")]

    def __str__(self) -> str:
        return self.shown_name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.folded_email = self.email.casefold()
        if update_fields is not None and "email" in update_fields:
            update_fields = [*update_fields, "folded_email"]
        super().save(*args, update_fields=update_fields, **kwargs)

    @property
    def shown_name(self) -> str:
        """A name that can be read in a list, also for people whose LMS sends neither name nor e-mail (C4)."""
        return self.name or self.email.partition("@")[0] or _("Learner %(id)s") % {"id": self.public_id[:4]}


class SignInLink(models.Model):
    """A one-time link that signs an account in: an invitation, or the way back for somebody locked out.

    Only the hash is stored; whoever reads the database cannot sign in with it.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sign_in_links")
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.account} until {self.expires_at}"


class Invitation(models.Model):
    """Somebody asked to join; the link is e-mailed, so that using it proves the address. Only its hash is kept."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=10, choices=Member.Role.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="invitations_made")
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "email"], name="one_invitation_per_address")]

    def __str__(self) -> str:
        return f"{self.email} · {self.role}"


class EmailCode(models.Model):
    """A code sent to an address (`email_codes`). Only its keyed hash is kept."""

    purpose = models.CharField(max_length=30)
    subject = models.CharField(max_length=100)
    email = models.EmailField()
    code_hash = models.CharField(max_length=64)
    tries = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["purpose", "subject"], name="code_by_subject"),
            models.Index(fields=["email", "sent_at"], name="code_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} · {self.email}"
