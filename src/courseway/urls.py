"""Where everything is. The rooms' pages are the same for signed-in people and, below `/at/<launch>/`, for launches."""

from __future__ import annotations

from django.urls import include, path

from courseway.courses.urls import urlpatterns as courses_urls
from courseway.grades.enroll_only import count_grades
from courseway.grades.org_home import show_organization
from courseway.learning import work_views
from courseway.learning.joining import join_if_possible
from courseway.learning.owing import owe_newest
from courseway.learning.scoring import release_completed
from courseway.learning.views import home
from courseway.lms import views
from courseway.lms.course_lti_views import GradesOfCourses
from courseway.lms.course_urls import list_course_urls
from courseway.lms.course_views import list_courses, show_overview
from courseway.lms.selection_urls import list_selection_urls
from courseway.orgs.urls import urlpatterns as orgs_urls

urlpatterns = [
    # Patterns are tried in this order. These four are those of `lti/` and `learn/` to which every launch goes, found
    # without looking into those first.
    path("lti/login", views.login),
    path("lti/launch", views.launch),
    path("lti/a/<str:assignment>", views.launch),
    path("learn/assignments/<slug:assignment_id>/", work_views.assignment),
    path("", home, name="home"),
    path("lti/", include("courseway.lms.urls")),
    path("learn/", include("courseway.learning.urls")),
    path("choose/", include(list_selection_urls(join_if_possible))),
    path("account/", include("courseway.orgs.sign_in_urls")),
    # The home of an organization shows launches and grades, which stand above the room of organizations.
    path("o/", include(([path("<slug:slug>/", show_organization, name="organization"), *orgs_urls], "orgs"))),
    path("o/", include("courseway.events.urls")),
    path("o/", include("courseway.lms.org_urls")),
    path("o/", include("courseway.grades.org_urls")),
    path("o/", include("courseway.learning.org_urls")),
    # The list and the overview of courses show launches and addresses, which stand above the room of courses.
    path(
        "courses/",
        include(
            (
                [
                    path("", list_courses, name="list"),
                    *courses_urls,
                    path("<slug:course_id>/", show_overview, name="overview"),
                ],
                "courses",
            )
        ),
    ),
    path("courses/", include(list_course_urls(GradesOfCourses(release_completed, owe_newest, count_grades)))),
    path("courses/", include("courseway.grades.course_urls")),
    path("courses/", include("courseway.learning.course_urls")),
]

handler400 = "courseway.errors.bad_request"
handler403 = "courseway.errors.permission_denied"
handler404 = "courseway.errors.page_not_found"
handler500 = "courseway.errors.server_error"
