"""Below /courses/, namespace `lms_course`: courseway/urls.py hands in what the settings mean for grades."""

from __future__ import annotations

from django.urls import URLPattern, path

from courseway.lms import connection_views
from courseway.lms.course_lti_views import GradesOfCourses, download_cartridge, download_urls, show_lti


def list_course_urls(grades: GradesOfCourses) -> tuple[list[URLPattern], str]:
    return [
        path("<slug:course_id>/lti/", show_lti, {"grades": grades}, name="lti"),
        path("<slug:course_id>/lti/assignment-urls.csv", download_urls, name="assignment_urls"),
        path("<slug:course_id>/lti/cartridge", download_cartridge, name="cartridge"),
        path("<slug:course_id>/lti/connections", connection_views.show_connections, name="connections"),
        path("<slug:course_id>/lti/connections/<int:pk>/accept", connection_views.accept_one, name="accept"),
        path("<slug:course_id>/lti/connections/<int:pk>/forget", connection_views.forget_one, name="forget"),
        path("<slug:course_id>/lti/connections/<int:pk>/move", connection_views.move_one, name="move"),
        path("<slug:course_id>/lti/connections/<int:pk>/url", connection_views.save_url, name="save_url"),
        path("<slug:course_id>/archive", connection_views.archive, name="archive"),
    ], "lms_course"
