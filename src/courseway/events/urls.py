"""Below /o/<organization>/: webhooks, for owners."""

from __future__ import annotations

from django.urls import path

from courseway.events import views

app_name = "events"

urlpatterns = [
    path("<slug:slug>/webhooks", views.list_endpoints, name="webhooks"),
    path("<slug:slug>/webhooks/new", views.add_endpoint, name="add"),
    path("<slug:slug>/webhooks/<str:endpoint>", views.show_endpoint, name="webhook"),
    path("<slug:slug>/webhooks/<str:endpoint>/change", views.change, name="change"),
    path("<slug:slug>/webhooks/<str:endpoint>/secret", views.show_secret, name="show_secret"),
    path("<slug:slug>/webhooks/<str:endpoint>/rotate", views.rotate, name="rotate"),
    path("<slug:slug>/webhooks/<str:endpoint>/test", views.test, name="test"),
    path("<slug:slug>/webhooks/<str:endpoint>/off", views.switch_off, name="switch_off"),
    path("<slug:slug>/webhooks/<str:endpoint>/on", views.switch_on, name="switch_on"),
    path("<slug:slug>/webhooks/<str:endpoint>/delete", views.delete, name="delete"),
    path("<slug:slug>/webhooks/<str:endpoint>/again", views.send_again, name="send_again"),
    path("<slug:slug>/webhooks/<str:endpoint>/events/<str:event>", views.show_delivery, name="delivery"),
]
