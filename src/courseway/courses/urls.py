"""Below /courses/, namespace `courses`: courseway/urls.py adds the list and the overview, which need higher rooms."""

from __future__ import annotations

from django.urls import path

from courseway.courses import teacher_views, views

urlpatterns = [
    path("import/", views.import_from_text, name="import"),
    path("<slug:course_id>/teachers/", teacher_views.show_teachers, name="teachers"),
    path("<slug:course_id>/teachers/<slug:person_id>/", teacher_views.change_teacher, name="change_teacher"),
    path("<slug:course_id>/settings/", views.show_settings, name="settings"),
    path("<slug:course_id>/copy/", views.copy, name="copy"),
    path("<slug:course_id>/download/", views.download, name="download"),
    path("<slug:course_id>/assignments/<slug:assignment_id>/copy/", views.copy_one, name="copy_assignment"),
    path("<slug:course_id>/assignments/<slug:assignment_id>/publish/", views.publish, name="publish"),
]
