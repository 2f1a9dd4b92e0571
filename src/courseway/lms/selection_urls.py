"""The pages of a choice, below `/at/<reference>/choose/`: a selection's ticket opens these and no others."""

from __future__ import annotations

from django.urls import path

from courseway.lms import selection_sign_in, selection_views

app_name = "lms_choose"

urlpatterns = [
    path("", selection_views.pick, name="picker"),
    path("preview/<str:assignment>", selection_views.preview, name="preview"),
    path("cancel", selection_views.cancel, name="cancel"),
    path("code", selection_views.send_proof, name="code"),
    path("prove", selection_views.prove, name="prove"),
    # Outside the session of the launch, in a tab of its own: whoever signs in there carries a code back.
    path("sign-in/<str:reference>", selection_sign_in.show_code, name="sign_in"),
]
