"""Below /o/<organization>/: Grade delivery, for owners, and the guides to each LMS."""

from __future__ import annotations

from django.urls import path

from courseway.grades import guide_views, org_views

app_name = "grades_org"

urlpatterns = [
    path("<slug:slug>/grades", org_views.show_deliveries, name="deliveries"),
    path("<slug:slug>/grades.csv", org_views.download_deliveries, name="deliveries_csv"),
    path("<slug:slug>/grades/send", org_views.send_again, name="send_again"),
    path("<slug:slug>/grades/<int:pk>", org_views.show_delivery, name="delivery"),
    path("<slug:slug>/grades/<int:pk>/column", org_views.make_column, name="make_column"),
    path("<slug:slug>/lti/guides/<str:lms>", guide_views.show_guide, name="guide"),
    path("<slug:slug>/lti/guides/<str:lms>/progress", guide_views.show_progress, name="guide_progress"),
]
