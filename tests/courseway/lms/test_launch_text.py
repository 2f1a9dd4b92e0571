"""A launch that waits for a teacher's choice comes back as it was, whatever services it named."""

from __future__ import annotations

import json

from courseway.lms.launch_text import read_launch, write_launch
from ltikit.launch import Launch, Roster, RosterKind
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v13.platform import launch, make_claims


def comes_back(waiting: Launch) -> None:
    assert read_launch(write_launch(waiting)) == waiting


def test_services_of_lti_13_come_back() -> None:
    """Grades, roster and groups are the same after waiting."""
    waiting = launch(
        make_claims(
            **{
                "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                    "context_memberships_url": "https://lms.example/members",
                    "service_versions": ["2.0"],
                },
                "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice": {
                    "context_groups_url": "https://lms.example/groups",
                    "context_group_sets_url": "https://lms.example/sets",
                    "scope": ["https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"],
                },
            }
        )
    )
    assert waiting.groups is not None
    assert waiting.roster is not None
    comes_back(waiting)


def test_services_of_lti_11_come_back() -> None:
    """The kind of the roster, what it is asked by, and what Canvas takes with a grade are the same after waiting."""
    waiting = signed_forms.launch(
        ext_ims_lis_memberships_url="https://lms.example.edu/pox",
        ext_ims_lis_memberships_id="m-1",
        ext_outcome_data_values_accepted="url,text,other",
        ext_outcome_submission_submitted_at_accepted="true",
    )
    assert waiting.roster == Roster("https://lms.example.edu/pox", kind=RosterKind.POX, id="m-1")
    assert waiting.outcomes is not None
    assert waiting.outcomes.accepts == {"url", "text", "submitted_at"}
    comes_back(waiting)


def test_a_launch_that_waited_over_an_upgrade() -> None:
    """What was written before a launch had these members can still be chosen for."""
    waiting = signed_forms.launch(custom_context_memberships_v2_url="https://lms.example.edu/members")
    plain = json.loads(write_launch(waiting))
    del plain["groups"], plain["outcomes"]["accepts"], plain["roster"]["kind"], plain["roster"]["id"]
    assert read_launch(json.dumps(plain)) == waiting
