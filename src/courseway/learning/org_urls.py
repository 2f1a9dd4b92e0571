"""Below /o/: the people of an organization."""

from __future__ import annotations

from django.urls import path

from courseway.learning import people_views

app_name = "learning_org"

urlpatterns = [
    path("<slug:slug>/people/", people_views.list_people, name="people"),
    path("<slug:slug>/people/<slug:person_id>/", people_views.show_person, name="person"),
    path("<slug:slug>/people/<slug:person_id>/merge/<slug:person>/", people_views.merge, name="merge"),
]
