from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import LtiError, MalformedMessageError, MissingParameterError
from ltikit.launch import Context, Message, Outcomes, Person, PlatformInfo, ResourceLink, Role, Roster
from ltikit.parameters import MAX_BODY, MAX_FIELDS, parse_form
from ltikit.v11.launch import (
    UNKNOWN_SECRET,
    consumer_key_of,
    looks_like_launch,
    verify_launch,
)
from tests.ltikit.v11.signed_forms import (
    KEY,
    NOW,
    RETURN_URL,
    SECRET,
    STUDENT_LAUNCH,
    URL,
    Form,
    change,
    launch,
    launch_at,
    sign,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def test_every_field_of_a_launch_is_read() -> None:
    """A full launch fills every field of `Launch` that LTI 1.1 can fill."""
    found = launch()
    assert (
        found.version,
        found.message,
        found.issuer,
        found.client_id,
        found.consumer_key,
        found.deployment_id,
    ) == ("1.1", Message.RESOURCE_LINK, "", "", KEY, "")
    assert found.person == Person(
        user_id="user-9",
        name="Zoë Ångström",
        given_name="Zoë",
        family_name="Ångström",
        email="Zoe@example.edu",
        sourcedid="sis:zoe",
    )
    assert (found.role, found.roles) == (Role.STUDENT, ("Learner",))
    assert (found.nonce, found.issued_at) == ("nonce-1", NOW)
    assert found.context == Context(
        id="course-7",
        title="Programming",
        label="CS1",
        types=("CourseSection",),
        offering_sourcedid="CS1-2026",
        section_sourcedid="CS1-2026-A",
    )
    assert ResourceLink(id="link-1", title="Loops & lists") == found.resource_link
    assert found.target_link_uri == URL
    assert found.custom == {"page": "Warm-up"}
    assert found.custom_lists == {"page": ("Warm-up",)}
    assert Outcomes("https://lms.example.edu/outcomes", '{"data":{"userid":"9"},"hash":"<ab&c>"}') == found.outcomes
    assert PlatformInfo("lms.example.edu", "Example University", "moodle", "2024100706") == found.platform
    assert (found.return_url, found.document_target, found.locale) == (RETURN_URL, "iframe", "en-US")
    assert found.ags is None
    assert found.roster is None
    assert found.mentor_for == ()
    assert found.raw["ext_submit"] == "Press to launch"


def test_an_anonymous_launch_has_no_user_id() -> None:
    """Without user_id, name and e-mail a launch is anonymous and still a launch."""
    names = ["user_id", "lis_person_name_full", "lis_person_name_given", "lis_person_name_family"]
    names += ["lis_person_contact_email_primary", "lis_person_sourcedid"]
    assert Person(user_id=None) == launch(**dict.fromkeys(names)).person
    assert launch(user_id="  ").person.user_id is None


def test_a_launch_outside_a_course_has_no_context() -> None:
    """Without context_id there is no context, whatever else is said about it."""
    assert launch(context_id=None).context is None
    assert launch(context_id="").context is None


def test_unexpanded_variables_are_absent() -> None:
    """A `$Variable` that the platform left as it was is never taken for an id, a name or a source id."""
    found = launch(
        user_id="$User.id",
        lis_person_name_full="$Person.name.full",
        lis_course_offering_sourcedid="$CourseOffering.sourcedId",
        lis_course_section_sourcedid="$CourseSection.sourcedId",
        lis_result_sourcedid="$Result.sourcedId",
        custom_codio_course_target_id="$Canvas.course.id",
    )
    assert found.person.user_id is None
    assert found.person.name == ""
    assert found.context is not None
    assert (found.context.offering_sourcedid, found.context.section_sourcedid) == ("", "")
    assert found.outcomes is not None
    assert found.outcomes.sourcedid == ""
    assert "course_target_id" not in found.custom


def test_custom_parameters_are_normalised_with_all_their_values() -> None:
    """Repeated names and line breaks give several values; other prefixes are not custom parameters."""
    form = [*STUDENT_LAUNCH, ("CUSTOM_CODIO_Send_Grade", "Always"), ("custom_course_target_id", "A")]
    form += [("codio_class_target_id", '"B"\r\nC'), ("ext_page", "no"), ("page", "no")]
    found = launch(form)
    assert found.custom == {"page": "Warm-up", "send_grade": "Always", "course_target_id": "A"}
    assert found.custom_lists["course_target_id"] == ("A", "B", "C")


def test_custom_parameters_of_the_launch_address_count_too() -> None:
    """The query of the launch address is signed as well and may carry custom parameters."""
    found = launch_at(f"{URL}?custom_assignment_id=a1&page=no&user_id=somebody")
    assert found.custom == {"page": "Warm-up", "assignment_id": "a1"}
    assert found.person.user_id == "user-9"
    assert found.target_link_uri == f"{URL}?custom_assignment_id=a1&page=no&user_id=somebody"


@pytest.mark.quirk("C2")
def test_addresses_that_canvas_encoded_twice_are_decoded() -> None:
    """SpeedGrader encodes the query once too often (canvas-lms#1486); only a value that is an address shows it."""
    twice = quote(quote("https://files.example.edu/a?b=1", safe=""), safe="")
    found = launch_at(f"{URL}?custom_file={twice}&custom_title={quote('50%25 off')}")
    assert found.custom == {"page": "Warm-up", "file": "https://files.example.edu/a?b=1", "title": "50%25 off"}


@pytest.mark.quirk("O6")
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Ada%20Lovelace", "Ada Lovelace"),
        ("Zo%C3%AB+%C3%85ngstr%C3%B6m", "Zoë Ångström"),
        ("Ada+Lovelace", "Ada Lovelace"),
        ("Ada", "Ada"),
        ("100%25 Ada", "100%25 Ada"),
        ("ada+test@example.edu", "ada+test@example.edu"),
        ("Ada%FF", "Ada%FF"),
        ("Ada%00", "Ada"),
    ],
)
def test_url_encoded_names_are_decoded(sent: str, read: str) -> None:
    """Open edX sends names URL-encoded; a name that only looks a little like it stays as it is."""
    assert read == launch(lis_person_name_full=sent).person.name


def test_ext_roles_stand_in_for_missing_roles_only() -> None:
    """The fuller `ext_roles` of Canvas count only where `roles` says nothing."""
    teacher = "urn:lti:role:ims/lis/Instructor"
    assert launch(ext_roles=teacher).role is Role.STUDENT
    assert launch(roles=None, ext_roles=teacher).role is Role.TEACHER
    assert launch(roles=" , ", ext_roles=teacher).role is Role.TEACHER
    assert launch(roles=None).roles == ()


def test_a_mentor_brings_the_list_of_learners() -> None:
    """role_scope_mentor is a comma list of URL-encoded user ids."""
    found = launch(roles="urn:lti:role:ims/lis/Mentor", role_scope_mentor="a%2Cb, 12 ,,x%20y+z")
    assert found.role is Role.MENTOR
    assert found.mentor_for == ("a,b", "12", "x y+z")


def test_teachers_may_come_without_sourcedid() -> None:
    """A service URL without a sourcedid is kept; without a usable URL there are no outcomes."""
    assert Outcomes("https://lms.example.edu/outcomes") == launch(lis_result_sourcedid=None).outcomes
    assert launch(lis_outcome_service_url=None).outcomes is None
    assert launch(lis_outcome_service_url="file:///etc/passwd").outcomes is None


def test_the_sourcedid_is_kept_exactly_and_not_shown() -> None:
    """The sourcedid is opaque, blanks and all, and a capability that no log may show by accident."""
    found = launch(lis_result_sourcedid=' a%20b:::"c" ')
    assert found.outcomes is not None
    assert found.outcomes.sourcedid == ' a%20b:::"c" '
    assert '"c"' not in repr(found)


def test_the_roster_url_of_lti_1_1_is_found() -> None:
    """Platforms offer NRPS 2.0 to 1.1 tools as a custom parameter."""
    found = launch(custom_context_memberships_v2_url="https://lms.example.edu/members?x=1")
    assert Roster("https://lms.example.edu/members?x=1", ("2.0",)) == found.roster
    assert launch(custom_context_memberships_v2_url="javascript:x").roster is None


def test_a_content_item_request_asks_for_deep_linking() -> None:
    """ContentItemSelectionRequest needs no resource link, but a return address."""
    changes = {"lti_message_type": "ContentItemSelectionRequest", "resource_link_id": None}
    found = launch(content_item_return_url="https://lms.example.edu/items", **changes)
    assert found.message is Message.DEEP_LINKING
    assert found.resource_link is None
    assert found.raw["content_item_return_url"] == "https://lms.example.edu/items"
    with pytest.raises(MissingParameterError, match="content_item_return_url"):
        launch(**changes)


@pytest.mark.parametrize("name", ["user_id", "roles", "context_id", "resource_link_id", "lti_version"])
def test_two_values_for_one_identity_are_refused(name: str) -> None:
    """A correctly signed launch that says two different things about who or where is not guessed at."""
    with pytest.raises(MalformedMessageError, match=name):
        launch([*STUDENT_LAUNCH, (name, "another")])


def test_the_same_value_twice_is_one_value() -> None:
    """A field repeated with the same value is harmless."""
    assert launch([*STUDENT_LAUNCH, ("user_id", "user-9")]).person.user_id == "user-9"
    assert launch([*STUDENT_LAUNCH, ("user_id", "user-9")]).raw["user_id"] == ("user-9", "user-9")


def test_raw_and_custom_cannot_be_changed() -> None:
    """A verified launch is read-only all the way down."""
    found = launch()
    for mapping in (found.raw, found.custom, found.custom_lists):
        with pytest.raises(TypeError):
            mapping["x"] = "y"  # type: ignore[index]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ([("lti_message_type", "basic-lti-launch-request")], True),
        ([("oauth_consumer_key", "k")], True),
        ([("id_token", "x"), ("state", "y")], False),
        ([("id_token", "x"), ("lti_message_type", "basic-lti-launch-request")], False),
        ([("user_id", "1")], False),
        ([], False),
    ],
)
def test_messages_of_both_versions_are_told_apart(form: Form, expected: bool) -> None:
    """A form with an id_token is LTI 1.3; a signed or unsigned LTI 1.x message is recognised by its fields."""
    assert looks_like_launch(form) is expected


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ([], MissingParameterError),
        ([("oauth_consumer_key", " ")], MissingParameterError),
        ([("oauth_consumer_key", "a"), ("oauth_consumer_key", "b")], MalformedMessageError),
        ([("oauth_consumer_key", "k" * 256)], MalformedMessageError),
    ],
)
def test_a_key_is_needed_once(form: Form, error: type[LtiError]) -> None:
    """No key, several keys or an endless one are refused before anything is looked up."""
    with pytest.raises(error, match="oauth_consumer_key"):
        consumer_key_of(form)


def test_the_key_is_read() -> None:
    """The one consumer key of the form is returned as it was sent."""
    assert consumer_key_of(sign(STUDENT_LAUNCH)) == KEY


@pytest.mark.parametrize(
    "body",
    [
        b"a=%zz",
        b"a=%4",
        b"a=%FF",
        b"a=\xff",
        b"a=b%00",
        b"=b",
        b"a=" + b"x" * MAX_BODY,
        b"&".join(b"a%d=" % number for number in range(MAX_FIELDS + 1)),
    ],
    ids=["no hex", "half an escape", "not UTF-8", "raw bytes", "NUL", "no name", "too large", "too many"],
)
def test_broken_forms_are_refused(body: bytes) -> None:
    """Broken encoding, NUL characters and endless forms give one named error."""
    with pytest.raises(MalformedMessageError):
        parse_form(body)


def test_a_form_is_read_with_all_its_fields() -> None:
    """Empty values, repeated names, plus signs, a missing equals sign and UTF-8 are read as browsers send them."""
    fields = b"a=&b=1+2&b=%C3%A9&c&d=\xc3\xa9&e=%3D%26%2B&"
    expected = [("a", ""), ("b", "1 2"), ("b", "é"), ("c", ""), ("d", "é"), ("e", "=&+")]
    assert expected == parse_form(fields)
    assert parse_form(b"") == []
    assert len(parse_form(b"&".join(b"a%d=" % number for number in range(MAX_FIELDS)))) == MAX_FIELDS


@given(st.lists(st.tuples(texts.filter(bool), texts), max_size=8))
def test_any_form_survives_the_way(form: Form) -> None:
    """What a browser encodes is what is read, for any text."""
    assert form == parse_form(urlencode(form).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_one_error(body: bytes) -> None:
    """Whatever arrives is a list of fields or a `MalformedMessageError`."""
    try:
        form = parse_form(body)
    except MalformedMessageError:
        return
    assert all(name for name, _ in form)


@given(st.dictionaries(st.sampled_from([name for name, _ in STUDENT_LAUNCH]), texts, max_size=6))
def test_any_correctly_signed_launch_is_read_or_refused_by_name(changes: dict[str, str]) -> None:
    """A correctly signed launch with any values is a `Launch` or a named error with the way back."""
    form = change(STUDENT_LAUNCH, **{"launch_presentation_return_url": RETURN_URL, **changes})
    error = None
    try:
        found = verify_launch(sign(form), url=URL, secret=SECRET, now=NOW)
    except LtiError as refusal:
        error = refusal
    if error is None:
        assert found.person.user_id is None or found.person.user_id.strip()
    elif "launch_presentation_return_url" not in changes:
        assert error.return_url == RETURN_URL


@given(st.lists(st.tuples(texts.filter(bool), texts), max_size=8))
def test_no_unsigned_form_is_a_launch(form: Form) -> None:
    """Nothing that was not signed with the secret is ever accepted."""
    fields = [("oauth_consumer_key", KEY), ("oauth_nonce", "n"), ("oauth_signature_method", "HMAC-SHA1")]
    with pytest.raises(LtiError):
        verify_launch([*form, *fields, ("oauth_signature", "AAAA")], url=URL, secret=SECRET, now=NOW)


def test_the_secret_for_unknown_keys_is_secret() -> None:
    """The stand-in for an unknown key's secret is long, and a form signed with a guess of it is refused."""
    assert len(UNKNOWN_SECRET) >= 32
    with pytest.raises(LtiError) as caught:
        verify_launch(sign(STUDENT_LAUNCH, secret="UNKNOWN_SECRET"), url=URL, secret=UNKNOWN_SECRET, now=NOW)
    assert caught.value.code == "bad_signature"


def test_callers_mistakes_are_not_launch_errors() -> None:
    """An empty secret or a time without a zone is a mistake of the program, not of the LMS."""
    form = sign(STUDENT_LAUNCH)
    with pytest.raises(ValueError, match="secret"):
        verify_launch(form, url=URL, secret="", now=NOW)
    with pytest.raises(ValueError, match="aware"):
        verify_launch(form, url=URL, secret=SECRET, now=NOW.replace(tzinfo=None))


def test_the_time_may_be_of_any_zone() -> None:
    """`now` is compared as an instant; issued_at is in UTC."""
    form = sign(STUDENT_LAUNCH)
    elsewhere = NOW.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert verify_launch(form, url=URL, secret=SECRET, now=elsewhere).issued_at.tzinfo is UTC


def test_a_launch_through_the_wire_verifies() -> None:
    """The bytes of a browser's post, parsed and verified, are a launch."""
    body = "&".join(f"{quote(name)}={quote(value)}" for name, value in sign(STUDENT_LAUNCH)).encode()
    assert verify_launch(parse_form(body), url=URL, secret=SECRET, now=NOW).person.name == "Zoë Ångström"


@pytest.mark.parametrize("name", ["user_id", "context_id", "resource_link_id"])
def test_ids_have_a_length(name: str) -> None:
    """An id of 255 characters is one, a longer one is refused by name, with the way back."""
    assert launch(**{name: "x" * 255})
    with pytest.raises(MalformedMessageError, match=name) as caught:
        launch(**{name: "x" * 256})
    assert caught.value.return_url == RETURN_URL
