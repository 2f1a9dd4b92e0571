"""The pages of a choice, below `/at/<reference>/choose/`: a selection's ticket opens these and no others."""

from __future__ import annotations

from django.urls import URLPattern, path

from courseway.lms import selection_sign_in, selection_views
from courseway.lms.joining import JoinPeople


def list_selection_urls(join_people: JoinPeople) -> tuple[list[URLPattern], str]:
    return [
        path("", selection_views.pick, name="picker"),
        path("preview/<str:assignment>", selection_views.preview, name="preview"),
        path("cancel", selection_views.cancel, name="cancel"),
        path("code", selection_views.send_proof, name="code"),
        path("prove", selection_views.prove, {"join_people": join_people}, name="prove"),
        # Outside the session of the launch, in a tab of its own: whoever signs in there carries a code back.
        path("sign-in/<str:reference>", selection_sign_in.show_code, name="sign_in"),
    ], "lms_choose"
