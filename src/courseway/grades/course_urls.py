"""Below /courses/, for a course's teachers: its guides, its links and columns, and what the LMS holds of its grades."""

from __future__ import annotations

from django.urls import path

from courseway.grades import guide_views, link_views, reconcile_views

app_name = "grades_course"

urlpatterns = [
    path("<slug:course_id>/lms-grades/", reconcile_views.show_lms_grades, name="lms_grades"),
    path("<slug:course_id>/lms-grades/checks", reconcile_views.show_checks, name="lms_grades_checks"),
    path("<slug:course_id>/lms-grades/compare", reconcile_views.compare_now, name="lms_grades_compare"),
    path("<slug:course_id>/lms-grades/decide", reconcile_views.decide, name="lms_grades_decide"),
    path("<slug:course_id>/lti/links/", link_views.show_links, name="links"),
    path("<slug:course_id>/lti/links/progress", link_views.show_progress, name="links_progress"),
    path("<slug:course_id>/lti/links/check", link_views.check_now, name="links_check"),
    path("<slug:course_id>/lti/links/<int:link>/fix", link_views.fix, name="links_fix"),
    path("<slug:course_id>/lti/guides/<str:lms>", guide_views.show_course_guide, name="guide"),
    path("<slug:course_id>/lti/guides/<str:lms>/progress", guide_views.show_course_progress, name="guide_progress"),
]
