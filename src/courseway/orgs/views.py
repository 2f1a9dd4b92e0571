"""Organizations: which ones are mine, who is in them, what they are called."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.forms import InvitationForm, OrganizationForm, RoleForm
from courseway.orgs.invitations import invite
from courseway.orgs.members import LastOwnerError, change_role, remove_member
from courseway.orgs.models import Account, Invitation, Member, Organization
from courseway.orgs.visitor import visitor_of


@sign_in_required
@require_safe
def list_organizations(request: HttpRequest) -> HttpResponse:
    memberships = Member.objects.select_related("organization").filter(account=visitor_of(request).account)
    return render(request, "orgs/list.html", {"memberships": memberships.order_by("organization__name")})


@sign_in_required
@require_http_methods(["GET", "POST"])
def show_members(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    form = InvitationForm(request.POST or None, organization=organization)
    if request.method == "POST" and form.is_valid():
        _send(request, organization, form.cleaned_data["email"], form.cleaned_data["role"])
        return redirect("orgs:members", slug)
    words = {
        "organization": organization,
        "form": form,
        "members": organization.members.select_related("account").order_by("account__name", "account__email"),
        "invitations": organization.invitations.order_by("email"),
        "roles": Member.Role.choices,
        "now": timezone.now(),
    }
    return render(request, "orgs/members.html", words, status=400 if form.errors else 200)


@sign_in_required
@require_POST
def change_member_role(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    member = _get_member(get_organization_to_own(request, slug), pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            change_role(member, form.cleaned_data["role"])
        except LastOwnerError as error:
            messages.error(request, str(error))
        else:
            role = member.get_role_display()
            messages.success(request, _("%(name)s is now %(role)s.") % {"name": member.account, "role": role})
    return _back_to_members(request, slug, member)


@sign_in_required
@require_POST
def remove_from_members(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    member = _get_member(get_organization_to_own(request, slug), pk)
    try:
        remove_member(member)
    except LastOwnerError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is no longer a member.") % {"name": member.account})
    return _back_to_members(request, slug, member)


@sign_in_required
@require_POST
def invite_again(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    invitation = get_object_or_404(Invitation, organization=organization, pk=pk)
    _send(request, organization, invitation.email, invitation.role)
    return redirect("orgs:members", slug)


@sign_in_required
@require_POST
def withdraw_invitation(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    invitation = get_object_or_404(Invitation, organization=organization, pk=pk)
    invitation.delete()
    messages.success(request, _("The invitation of %(email)s was withdrawn.") % {"email": invitation.email})
    return redirect("orgs:members", slug)


@sign_in_required
@require_http_methods(["GET", "POST"])
def show_settings(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    form = OrganizationForm(request.POST or None, instance=Organization.objects.get(pk=organization.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("orgs:settings", slug)
    words = {"organization": organization, "form": form}
    return render(request, "orgs/settings.html", words, status=400 if form.errors else 200)


def _get_member(organization: Organization, pk: int) -> Member:
    return get_object_or_404(Member.objects.select_related("account"), organization=organization, pk=pk)


def _send(request: HttpRequest, organization: Organization, email: str, role: str) -> None:
    invited_by = visitor_of(request).account
    assert isinstance(invited_by, Account)  # noqa: S101 - an owner is always an account
    if invite(organization, email, role, invited_by=invited_by, now=timezone.now()):
        messages.success(request, _("%(email)s was invited by mail.") % {"email": email})
    else:
        words = _("%(email)s is invited, but the mail could not be sent. Try 'Send again' in some minutes.")
        messages.warning(request, words % {"email": email})


def _back_to_members(request: HttpRequest, slug: str, member: Member) -> HttpResponse:
    """Whoever gave up the own ownership may not see the page of the members any more."""
    is_still_owner = Member.objects.filter(
        organization=member.organization_id, account=visitor_of(request).account, role=Member.Role.OWNER
    ).exists()
    return redirect("orgs:members", slug) if is_still_owner else redirect("orgs:list")
