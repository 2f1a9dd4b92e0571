"""The addresses of LTI. They live in people's LMSs for years: add freely, change never."""

from __future__ import annotations

from django.urls import path

from courseway.lms import views
from courseway.lms.dynamic_registration_views import open_registration
from courseway.lms.frames import show_kept
from courseway.lms.notice_views import take_notices
from courseway.lms.tab_views import continue_in_tab
from courseway.lms.tool_config_views import show_canvas_json, show_tool_xml

app_name = "lti"

urlpatterns = [
    path("login", views.login, name="login"),
    path("launch", views.launch, name="launch"),
    path("keys", views.keys, name="keys"),
    path("kept", show_kept, name="kept"),
    path("continue", continue_in_tab, name="continue"),
    path("config.xml", show_tool_xml, name="config_xml"),
    path("canvas.json", show_canvas_json, name="canvas_json"),
    path("notices", take_notices, name="notices"),
    path("register/<str:token>", open_registration, name="register"),
    path("a/<str:assignment>", views.launch, name="assignment"),
    path("c/<str:content>", views.launch, name="content"),
    path("e/<str:course>", views.launch, name="enroll"),
    path("link", views.launch, name="link"),
    path("resource_selection", views.launch, name="resource_selection"),
    path("editor_button", views.launch, name="editor_button"),
    path("course_navigation", views.launch, name="course_navigation"),
]
