from __future__ import annotations

from django.urls import path

from courseway.learning import dates_views, grading_views, oversight_views

app_name = "learning_course"

_RESULTS = "<slug:course_id>/assignments/<slug:assignment_id>/results/"

urlpatterns = [
    path("<slug:course_id>/gradebook/", oversight_views.gradebook, name="gradebook"),
    path("<slug:course_id>/gradebook.csv", oversight_views.download_gradebook, name="gradebook_csv"),
    path("<slug:course_id>/assignments/<slug:assignment_id>/preview/", oversight_views.preview, name="preview"),
    path("<slug:course_id>/assignments/<slug:assignment_id>/dates/", dates_views.dates, name="dates"),
    path(_RESULTS, oversight_views.results, name="results"),
    path(_RESULTS + "act/", grading_views.act_on_all, name="act_on_all"),
    path(_RESULTS + "<slug:person_id>/", oversight_views.result, name="result"),
    path(_RESULTS + "<slug:person_id>/act/", grading_views.act_on_one, name="act_on_one"),
    path(_RESULTS + "<slug:person_id>/grade/", grading_views.grade, name="grade"),
    path(_RESULTS + "<slug:person_id>/points/", grading_views.points, name="points"),
    path(_RESULTS + "<slug:person_id>/extension/", dates_views.extension, name="extension"),
]
