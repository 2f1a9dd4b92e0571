"""The account's own page, and the links that let somebody in without a password."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from courseway.orgs.access import sign_in_required
from courseway.orgs.forms import AccountForm
from courseway.orgs.invitations import accept_invitation, find_invitation
from courseway.orgs.models import Account, Member
from courseway.orgs.sign_in_links import find_sign_in_link, use_sign_in_link

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# Until when, in this session, a password may be set without typing the old one.
_SET_UNTIL = "may_choose_without_old_one_until"
_TIME_TO_SET_PASSWORD = timedelta(hours=1)


@sign_in_required
@require_http_methods(["GET", "POST"])
def show_account(request: HttpRequest) -> HttpResponse:
    account = _account_of(request)
    form = AccountForm(request.POST or None, instance=Account.objects.get(pk=account.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your name was saved."))
        return redirect("account_home")
    memberships = Member.objects.select_related("organization").filter(account=account).order_by("organization__name")
    return render(request, "orgs/account.html", {"form": form, "account": account, "memberships": memberships})


@never_cache
@require_http_methods(["GET", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button, since mail programs and chats open every link they see; POST uses the link up."""
    now = timezone.now()
    link = find_sign_in_link(token, now=now)
    if link is None:
        return render(request, "orgs/link_is_over.html", status=410)
    if request.method == "GET":
        return render(request, "orgs/open_link.html", {"account": link.account})
    if not use_sign_in_link(link, now=now):
        return render(request, "orgs/link_is_over.html", status=410)
    _let_in(request, link.account)
    return redirect("account_new_password")


@never_cache
@require_http_methods(["GET", "POST"])
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    invitation = find_invitation(token, now=timezone.now())
    if invitation is None:
        return render(request, "orgs/link_is_over.html", status=410)
    is_somebody_else = request.user.is_authenticated and _account_of(request).email != invitation.email
    if request.method == "GET" or is_somebody_else:
        words = {"invitation": invitation, "is_somebody_else": is_somebody_else}
        return render(request, "orgs/open_invitation.html", words, status=409 if request.method == "POST" else 200)
    account = accept_invitation(invitation)
    if account is None:
        return render(request, "account/account_inactive.html", status=403)
    messages.success(request, _("You are now a member of %(name)s.") % {"name": invitation.organization})
    if not request.user.is_authenticated:
        _let_in(request, account)
    return redirect("orgs:list" if account.has_usable_password() else "account_new_password")


@never_cache
@sign_in_required
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def set_new_password(request: HttpRequest) -> HttpResponse:
    """Directly after a sign-in link: the old password, if there was one, is not asked for."""
    account = _account_of(request)
    if not _may_set_password(request):
        return redirect("account_change_password")
    form = SetPasswordForm(account, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, account)
        request.session.pop(_SET_UNTIL, None)
        messages.success(request, _("Your password was set."))
        return redirect("home")
    return render(request, "orgs/new_password.html", {"form": form, "account": account})


def _let_in(request: HttpRequest, account: Account) -> None:
    login(request, account, backend=_BACKEND)
    request.session[_SET_UNTIL] = (timezone.now() + _TIME_TO_SET_PASSWORD).timestamp()


def _may_set_password(request: HttpRequest) -> bool:
    until = request.session.get(_SET_UNTIL)
    return isinstance(until, float) and timezone.now().timestamp() < until


def _account_of(request: HttpRequest) -> Account:
    account = request.user
    assert isinstance(account, Account)  # noqa: S101 - `login_required` or a check stands before every call
    return account
