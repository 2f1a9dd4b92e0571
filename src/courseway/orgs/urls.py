"""Below /o/, namespace `orgs`: courseway/urls.py adds the home of one organization, which needs higher rooms."""

from __future__ import annotations

from django.urls import path

from courseway.orgs import views

urlpatterns = [
    path("", views.list_organizations, name="list"),
    path("<slug:slug>/members", views.show_members, name="members"),
    path("<slug:slug>/members/<int:pk>/role", views.change_member_role, name="change_role"),
    path("<slug:slug>/members/<int:pk>/remove", views.remove_from_members, name="remove_member"),
    path("<slug:slug>/invitations/<int:pk>/again", views.invite_again, name="invite_again"),
    path("<slug:slug>/invitations/<int:pk>/withdraw", views.withdraw_invitation, name="withdraw_invitation"),
    path("<slug:slug>/settings", views.show_settings, name="settings"),
]
