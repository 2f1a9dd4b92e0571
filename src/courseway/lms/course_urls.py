"""Below /courses/, namespace `lms_course`: courseway/urls.py says how completed work is released."""

from __future__ import annotations

from django.urls import URLPattern, path

from courseway.lms.course_views import ReleaseCompleted, show_lti


def list_course_urls(release_completed: ReleaseCompleted) -> tuple[list[URLPattern], str]:
    options = {"release_completed": release_completed}
    return [path("<slug:course_id>/lti/", show_lti, options, name="lti")], "lms_course"
