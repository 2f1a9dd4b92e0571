from __future__ import annotations

from django.urls import path

from courseway.learning import account_views, feedback_views, views, work_views

app_name = "learning"

urlpatterns = [
    path("assignments/<slug:assignment_id>/", work_views.assignment, name="assignment"),
    path("", views.dashboard, name="dashboard"),
    path("feedback/<slug:public_id>/", feedback_views.submission, name="submission"),
    path("shared/<str:token>/", feedback_views.shared, name="shared"),
    path("files/<slug:upload>/", feedback_views.download_file, name="file"),
    path("review/", feedback_views.review, name="review"),
    path("account/", account_views.account, name="account"),
    path("courses/<slug:course_id>/", views.course, name="course"),
    path("assignments/<slug:assignment_id>/feedback/", work_views.feedback, name="feedback"),
    path("assignments/<slug:assignment_id>/start/", work_views.start, name="start"),
    path("assignments/<slug:assignment_id>/answers/", work_views.save, name="save"),
    path("assignments/<slug:assignment_id>/submit/", work_views.submit, name="submit"),
    path("assignments/<slug:assignment_id>/retry/", work_views.retry, name="retry"),
    path("assignments/<slug:assignment_id>/delivery/", work_views.delivery, name="delivery"),
]
