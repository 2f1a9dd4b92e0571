"""Below /o/<organization>/: LTI integrations and the launch log, for owners."""

from __future__ import annotations

from django.urls import path

from courseway.lms import (
    deployment_claim_views,
    dynamic_registration_views,
    launch_log_views,
    lti_id_views,
    org_connection_views,
    org_views,
    platform_join_views,
    platform_trust_views,
    registration_views,
)

app_name = "lms_org"

urlpatterns = [
    path("<slug:slug>/lti", org_views.show_integrations, name="integrations"),
    path("<slug:slug>/lti/keys", org_views.add_key, name="add_key"),
    path("<slug:slug>/lti/keys/<str:platform>/secret", org_views.show_secret, name="show_secret"),
    path("<slug:slug>/lti/keys/<str:platform>/reset", org_views.reset_key, name="reset_key"),
    path("<slug:slug>/lti/platforms/<str:platform>/last-launch", org_views.show_last_launch, name="last_launch"),
    path("<slug:slug>/lti/platforms/<str:platform>/name", org_views.rename, name="rename"),
    path("<slug:slug>/lti/platforms/<str:platform>/trust", platform_trust_views.set_trust, name="trust"),
    path(
        "<slug:slug>/lti/platforms/<str:platform>/instructors/<int:pk>",
        platform_trust_views.answer_instructor,
        name="answer_instructor",
    ),
    path("<slug:slug>/lti/platforms/<str:platform>/revoke", org_views.revoke, name="revoke"),
    path("<slug:slug>/lti/platforms/<str:platform>/reinstate", org_views.reinstate, name="reinstate"),
    path("<slug:slug>/lti/registrations/new", registration_views.add, name="add_registration"),
    path("<slug:slug>/lti/registrations/<str:platform>", registration_views.show, name="registration"),
    path("<slug:slug>/lti/registrations/<str:platform>/join", platform_join_views.join, name="join_platforms"),
    path("<slug:slug>/lti/registrations/<str:platform>/part/<int:pk>", platform_join_views.part, name="part_platforms"),
    path("<slug:slug>/lti/registrations/<str:platform>/test", registration_views.test, name="test_registration"),
    path("<slug:slug>/lti/registrations/<str:platform>/deployments", registration_views.add_one, name="add_deployment"),
    path(
        "<slug:slug>/lti/registrations/<str:platform>/deployments/<int:pk>/approve",
        registration_views.approve,
        name="approve_deployment",
    ),
    path("<slug:slug>/lti/deployments", deployment_claim_views.claim, name="claim_deployment"),
    path("<slug:slug>/lti/deployments/<int:pk>/withdraw", deployment_claim_views.withdraw, name="withdraw_claim"),
    path("<slug:slug>/lti/registration-links", dynamic_registration_views.make_link, name="make_registration_link"),
    path(
        "<slug:slug>/lti/registration-links/<int:pk>/withdraw",
        dynamic_registration_views.withdraw,
        name="withdraw_registration_link",
    ),
    path("<slug:slug>/connections", org_connection_views.show_connections, name="connections"),
    path("<slug:slug>/connections/accept", org_connection_views.accept_shown, name="accept_connections"),
    path("<slug:slug>/connections/parents", org_connection_views.replace, name="replace_parent"),
    path("<slug:slug>/connections/parents/<int:pk>/undo", org_connection_views.undo, name="undo_replacement"),
    path("<slug:slug>/lti/lti-id", lti_id_views.choose_lti_id, name="lti_id"),
    path("<slug:slug>/launches.csv", launch_log_views.download_launches, name="launches_csv"),
    path("<slug:slug>/launches", launch_log_views.show_launches, name="launches"),
    path("<slug:slug>/launches/<str:reference>", launch_log_views.show_launch, name="launch"),
]
