"""LTI core 1.3 §5.3 and §5.4, Deep Linking 2.0, AGS 2.0 §3.1: what the claims of a verified launch mean."""

from __future__ import annotations

from typing import Any

import pytest

from ltikit import vocabulary
from ltikit.errors import MissingParameterError
from ltikit.launch import Ags, Message, Outcomes, Roster
from tests.ltikit.v13.platform import MEMBERSHIP, TOOL, ec_jwk, ec_key, keyset, launch, make_claims, rsa_jwk, rsa_key

SERVICE = "https://lms.example/api/lineitems"


@pytest.mark.quirk("G8")
def test_keys_without_alg_are_used() -> None:
    """A keyset whose keys name no algorithm verifies (Brightspace, quirk G8)."""
    assert "alg" not in rsa_jwk()
    assert launch(keys=keyset(rsa_jwk())).person.user_id == "user-1"


def test_es256_is_accepted() -> None:
    """A launch signed with ES256 verifies with the platform's EC key."""
    keys = keyset(rsa_jwk(), ec_jwk(ec_key(), kid="ec-1"))
    assert launch(keys=keys, header={"alg": "ES256", "kid": "ec-1"}, key=ec_key()).deployment_id == "deployment-1"


def test_the_key_of_the_kid_is_used() -> None:
    """Of several keys the one that kid names counts, also while keys rotate."""
    keys = keyset(rsa_jwk(rsa_key("old"), kid="old"), rsa_jwk(rsa_key("new"), kid="new"))
    for name in ("old", "new"):
        assert launch(keys=keys, header={"alg": "RS256", "kid": name}, key=rsa_key(name)).version == "1.3"


def test_the_nonce_and_the_claims_are_handed_on() -> None:
    """The caller gets the nonce, to use it up, and every claim as it was signed."""
    accepted = launch(make_claims(**{"https://lms.example/claim": {"a": [1]}}))
    assert accepted.nonce == "nonce-of-this-sign-in"
    assert accepted.raw["https://lms.example/claim"] == {"a": [1]}


def test_deep_linking_request_of_the_certification() -> None:
    """A deep linking request needs neither link nor target nor roles; a link in it is ignored (Blackboard)."""
    bare = make_claims("resource_link", "target_link_uri", "roles", message_type="LtiDeepLinkingRequest")
    accepted = launch(bare)
    assert (accepted.message, accepted.resource_link, accepted.roles) == (Message.DEEP_LINKING, None, ())
    assert accepted.target_link_uri == ""
    assert launch(make_claims(message_type="LtiDeepLinkingRequest")).resource_link is None


def test_submission_review_needs_a_person_to_review() -> None:
    """A submission review names whose work is meant, and is refused without."""
    review = {"message_type": "LtiSubmissionReviewRequest"}
    with pytest.raises(MissingParameterError, match="for_user"):
        launch(make_claims(**review))
    claims = make_claims(**review, for_user={"user_id": "student-7"})
    assert launch(claims).message is Message.SUBMISSION_REVIEW


def test_target_is_handed_on_as_it_was_signed() -> None:
    """Where the launch goes is the verified claim, with its query (core 5.3.4)."""
    target = f"{TOOL}/lti/a/x1?page=2"
    assert launch(make_claims(target_link_uri=target)).target_link_uri == target


@pytest.mark.quirk("C3")
@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ([], {}),
        ({}, {}),
        (None, {}),
        ({"course_id": 17, "Flag": True, "ratio": 0.5}, {"course_id": "17", "flag": "true", "ratio": "0.5"}),
        ({"due": "$ResourceLink.submission.endDateTime", "gone": None, "kept": "cost $5"}, {"kept": "cost $5"}),
        ({"mixed_case": "Val ue", "Mixed_Case": "Val ue"}, {"mixed_case": "Val ue"}),
    ],
)
def test_custom_parameters(custom: Any, expected: dict[str, str]) -> None:
    """Custom parameters are texts by normalised name; unexpanded variables are absent (quirks C3, C4)."""
    assert dict(launch(make_claims(custom=custom)).custom) == expected


def test_custom_parameters_with_several_values() -> None:
    """Different values of one name are all kept, in order."""
    accepted = launch(make_claims(custom={"target": ["a", "b"], "TARGET": "c"}))
    assert accepted.custom_lists["target"] == ("a", "b", "c")
    assert accepted.custom["target"] == "a"


def test_context_and_lis() -> None:
    """Course ids of the school's own system are read, unexpanded variables are not."""
    lis = {
        "person_sourcedid": "$Person.sourcedId",
        "course_offering_sourcedid": "PY-2026",
        "course_section_sourcedid": "",
    }
    accepted = launch(make_claims(lis=lis, context={"id": 7, "type": [""]}))
    assert accepted.context is not None
    assert (accepted.context.id, accepted.context.types) == ("7", ())
    assert (accepted.context.offering_sourcedid, accepted.context.section_sourcedid) == ("PY-2026", "")
    assert accepted.person.sourcedid == ""


@pytest.mark.parametrize("context", [None, [], {}, {"title": "no id"}])
def test_context_without_id_is_no_context(context: Any) -> None:
    """A course that has no id is no course."""
    assert launch(make_claims(context=context)).context is None


@pytest.mark.quirk("G3")
def test_null_members_count_as_absent() -> None:
    """Platforms write null for what they do not know (Canvas)."""
    link = {"id": "link-1", "title": None, "description": None, "errors": {"errors": {}}}
    accepted = launch(make_claims(resource_link=link, name=None, email=None, launch_presentation=None, lis=None))
    assert accepted.resource_link is not None
    assert (accepted.resource_link.title, accepted.person.email, accepted.return_url) == ("", "", "")
    assert accepted.person.name == "Ada Lovelace"


def test_grade_services() -> None:
    """The AGS claim gives scopes and addresses; a lineitem that is empty or no address counts as absent."""
    endpoint = {"scope": [vocabulary.SCOPE_SCORE], "lineitems": SERVICE, "lineitem": ""}
    accepted = launch(make_claims(**{vocabulary.AGS_ENDPOINT: endpoint}))
    assert accepted.ags == Ags(scopes=frozenset({vocabulary.SCOPE_SCORE}), lineitems_url=SERVICE)
    odd = {"lineitems": "file:///etc/passwd", "lineitem": "$LineItem.url"}
    assert launch(make_claims(**{vocabulary.AGS_ENDPOINT: odd})).ags is None
    assert launch().ags is None


def test_roster_service_and_basic_outcome() -> None:
    """The roster's address and the Basic Outcomes of an LTI 1.3 link are read."""
    claims = make_claims(
        **{
            vocabulary.NRPS_SERVICE: {"context_memberships_url": SERVICE, "service_versions": ["2.0"]},
            vocabulary.BASIC_OUTCOME: {"lis_outcome_service_url": SERVICE, "lis_result_sourcedid": "s-1"},
        }
    )
    accepted = launch(claims)
    assert accepted.roster == Roster(url=SERVICE, versions=("2.0",))
    assert accepted.outcomes == Outcomes(url=SERVICE, sourcedid="s-1")
    assert "s-1" not in repr(accepted)


def test_platform_presentation_and_locale() -> None:
    """Which LMS sent this is read, in both spellings of its family; the person's locale stands in for a missing one."""
    accepted = launch(make_claims(tool_platform={"guid": "g", "family_code": "moodle", "name": "U", "version": 4}))
    assert (accepted.platform.guid, accepted.platform.family, accepted.platform.version) == ("g", "moodle", "")
    assert (accepted.document_target, accepted.locale) == ("iframe", "de")
    assert launch(make_claims(launch_presentation={}, locale="en-GB")).locale == "en-GB"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [(["u1", "u2"], ("u1", "u2")), ("u1,u2", ("u1", "u2")), (["$User.scope.mentor"], ()), ([""], ()), (None, ())],
)
def test_mentor_scope(scope: Any, expected: tuple[str, ...]) -> None:
    """A mentor's launch names whose work may be seen."""
    assert launch(make_claims(roles=[MEMBERSHIP + "Mentor"], role_scope_mentor=scope)).mentor_for == expected


def test_preview_student() -> None:
    """The LMS's own test student is known as one."""
    test_user = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
    assert launch(make_claims(roles=[MEMBERSHIP + "Learner", test_user])).person.is_test_user
    assert not launch().person.is_test_user


@pytest.mark.quirk("C20")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("custom_assignment_id=c9", {"assignment_id": "c9"}),
        ("CUSTOM_Codio_Page=Warm%20up", {"page": "Warm up"}),
        ("page=2&x=1", {}),
        ("custom_a=", {}),
        ("custom_a=$Course.id&custom_b=%00", {}),
        ("custom_a=%ff", {}),
    ],
)
def test_custom_parameters_of_the_target(query: str, expected: dict[str, str]) -> None:
    """Custom parameters in the signed target count as in LTI 1.1, for links whose importer dropped the others (C20)."""
    claims = make_claims(target_link_uri=f"{TOOL}/lti/c/x1?{query}")
    assert dict(launch(claims).custom) == expected


def test_custom_parameters_of_claim_and_target() -> None:
    """The claim comes first; both values are there for those who look for several."""
    claims = make_claims(
        target_link_uri=f"{TOOL}/lti/c/x1?custom_course_target_id=k2", custom={"course_target_id": "k1"}
    )
    accepted = launch(claims)
    assert accepted.custom["course_target_id"] == "k1"
    assert accepted.custom_lists["course_target_id"] == ("k1", "k2")
