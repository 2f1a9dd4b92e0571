"""Below /account/: allauth's pages and ours. The names have no namespace, as allauth's have none."""

from __future__ import annotations

from django.urls import include, path

from courseway.orgs import sign_in_views

urlpatterns = [
    path("", sign_in_views.show_account, name="account_home"),
    path("link/<str:token>", sign_in_views.open_link, name="account_link"),
    path("invitation/<str:token>", sign_in_views.open_invitation, name="account_invitation"),
    path("new-password", sign_in_views.set_new_password, name="account_new_password"),
    path("", include("allauth.account.urls")),
]
