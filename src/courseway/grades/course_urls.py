"""Below /courses/, for a course's teachers: its guides, and what the LMS holds of its grades."""

from __future__ import annotations

from django.urls import path

from courseway.grades import guide_views, reconcile_views

app_name = "grades_course"

urlpatterns = [
    path("<slug:course_id>/lms-grades/", reconcile_views.show_lms_grades, name="lms_grades"),
    path("<slug:course_id>/lms-grades/checks", reconcile_views.show_checks, name="lms_grades_checks"),
    path("<slug:course_id>/lms-grades/compare", reconcile_views.compare_now, name="lms_grades_compare"),
    path("<slug:course_id>/lms-grades/decide", reconcile_views.decide, name="lms_grades_decide"),
    path("<slug:course_id>/lti/guides/<str:lms>", guide_views.show_course_guide, name="guide"),
    path("<slug:course_id>/lti/guides/<str:lms>/progress", guide_views.show_course_progress, name="guide_progress"),
]
