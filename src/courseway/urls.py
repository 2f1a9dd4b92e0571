"""Where everything is. The rooms' pages are the same for signed-in people and, below `/at/<launch>/`, for launches."""

from __future__ import annotations

from django.urls import include, path

from courseway.grades.org_home import show_organization
from courseway.learning.views import home
from courseway.orgs.urls import urlpatterns as orgs_urls

urlpatterns = [
    path("", home, name="home"),
    path("lti/", include("courseway.lms.urls")),
    path("account/", include("courseway.orgs.sign_in_urls")),
    # The home of an organization shows launches and grades, which stand above the room of organizations.
    path("o/", include(([path("<slug:slug>/", show_organization, name="organization"), *orgs_urls], "orgs"))),
    path("o/", include("courseway.lms.org_urls")),
    path("o/", include("courseway.grades.org_urls")),
    path("courses/", include("courseway.courses.urls")),
    path("courses/", include("courseway.lms.course_urls")),
    path("courses/", include("courseway.learning.course_urls")),
    path("learn/", include("courseway.learning.urls")),
]

handler400 = "courseway.errors.bad_request"
handler403 = "courseway.errors.permission_denied"
handler404 = "courseway.errors.page_not_found"
handler500 = "courseway.errors.server_error"
