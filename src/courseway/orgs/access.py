"""The only ways to an organization's rows: each getter checks the permission that its name says.

A visitor in the session of a launch never gets through here: a launch opens a course, not an organization (A1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from courseway.orgs.models import Member, Organization
from courseway.orgs.visitor import visitor_of

P = ParamSpec("P")


def sign_in_required(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Sends nobody to the sign-in page and back again. A launch is refused: signing in would not change who it is."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        visitor = visitor_of(request)
        if visitor.launch is not None:
            raise PermissionDenied(_("This page is not part of the LMS course."))
        if visitor.account is None:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return checked


def list_my_organizations(request: HttpRequest) -> QuerySet[Organization]:
    """The organizations in which the signed-in account has any role."""
    account = visitor_of(request).account
    return Organization.objects.filter(members__account=account) if account else Organization.objects.none()


def get_organization_to_own(request: HttpRequest, slug: str) -> Organization:
    """The organization, for its owners alone. Everybody else gets 403, whether it exists or not."""
    membership = _membership(request, slug)
    if membership.role != Member.Role.OWNER:
        raise PermissionDenied(_("Only owners of the organization may open this page."))
    return membership.organization


def get_organization_to_teach(request: HttpRequest, slug: str) -> Organization:
    """The organization, for owners and teachers: they may make courses in it."""
    membership = _membership(request, slug)
    if membership.role not in (Member.Role.OWNER, Member.Role.TEACHER):
        raise PermissionDenied(_("Only owners and teachers of the organization may do this."))
    return membership.organization


def get_membership(request: HttpRequest, slug: str) -> Member:
    """What the signed-in account is in the organization; 403 for everybody who is not in it."""
    return _membership(request, slug)


def _membership(request: HttpRequest, slug: str) -> Member:
    account = visitor_of(request).account
    if account is None:
        raise PermissionDenied(_("Sign in to open this page."))
    membership = Member.objects.select_related("organization").filter(organization__slug=slug, account=account).first()
    if membership is None:
        raise PermissionDenied(_("This page belongs to another organization, or to none."))
    return membership
