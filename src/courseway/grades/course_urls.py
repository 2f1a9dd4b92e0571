"""Below /courses/: the guides of a course, for its teachers."""

from __future__ import annotations

from django.urls import path

from courseway.grades import guide_views

app_name = "grades_course"

urlpatterns = [
    path("<slug:course_id>/lti/guides/<str:lms>", guide_views.show_course_guide, name="guide"),
    path("<slug:course_id>/lti/guides/<str:lms>/progress", guide_views.show_course_progress, name="guide_progress"),
]
