"""Read by mypy alone (test_documentation.py): the types that users of ltikit see. Nothing here is run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import assert_type

from ltikit import Context, Launch, LtiError, Person, Request, ResourceLink, Response, Role
from ltikit.content_items import DeepLinkingSettings
from ltikit.launch import Ags, Groups, Message, Outcomes, Roster
from ltikit.parameters import parse_form
from ltikit.quirks import Profile, find_profile
from ltikit.v11.launch import consumer_key_of
from ltikit.v11.launch import verify_launch as verify_launch_11
from ltikit.v11.outcomes import OutcomeAnswer, parse_outcome_response, replace_result_request
from ltikit.v13.ags import (
    LineItem,
    Result,
    Score,
    choose_lineitem,
    parse_lineitems,
    parse_results,
    parse_score_response,
    score_request,
)
from ltikit.v13.deep_linking import read_settings
from ltikit.v13.keys import Keyset, PrivateKey, PublicKey, generate_private_key, parse_keyset
from ltikit.v13.launch import Registration
from ltikit.v13.launch import verify_launch as verify_launch_13
from ltikit.v13.login import BegunLogin, LaunchForm, LoginAttempt, LoginRequest, parse_launch_form, parse_login
from ltikit.v13.migration import FormerIds, is_signed, read_former_ids
from ltikit.v13.nrps import MembersPage, members_request, parse_members
from ltikit.v13.token import AccessToken, parse_token_response, token_request


def launches(body: bytes, token: str, keys: Keyset, now: datetime) -> None:
    """Both versions give the same type."""
    form = parse_form(body)
    assert_type(form, list[tuple[str, str]])
    assert_type(consumer_key_of(form), str)
    assert_type(verify_launch_11(form, url="", secret="", now=now), Launch)
    registration = Registration("", "", frozenset({"1"}))
    launch = verify_launch_13(token, registration=registration, keys=keys, expected_nonce="", now=now)
    assert_type(launch, Launch)
    assert_type(launch.person, Person)
    assert_type(launch.person.user_id, str | None)
    assert_type(launch.role, Role)
    assert_type(launch.message, Message)
    assert_type(launch.context, Context | None)
    assert_type(launch.resource_link, ResourceLink | None)
    assert_type(launch.custom, Mapping[str, str])
    assert_type(launch.ags, Ags | None)
    assert_type(launch.outcomes, Outcomes | None)
    assert_type(launch.roster, Roster | None)
    assert_type(launch.groups, Groups | None)
    assert_type(launch.issued_at, datetime)
    assert_type(read_settings(launch), DeepLinkingSettings)
    assert_type(find_profile(launch.platform.family), Profile)


def sign_in(pairs: list[tuple[str, str]], begun: BegunLogin) -> None:
    """The two requests of a sign-in."""
    assert_type(parse_login(pairs), LoginRequest)
    assert_type(parse_login(pairs).lti_message_hint, str | None)
    assert_type(begun.attempt, LoginAttempt)
    assert_type(parse_launch_form(pairs), LaunchForm)


def keys_of_both_sides(body: bytes) -> None:
    """Keysets, and key pairs."""
    keyset = parse_keyset(body)
    assert_type(keyset, Keyset)
    assert_type(keyset.find("kid"), PublicKey | None)
    assert_type(generate_private_key(), PrivateKey)
    assert_type(generate_private_key().to_pem(), str)


def services(response: Response, score: Score, key: PrivateKey, outcomes: Outcomes, now: datetime) -> None:
    """Every service builds a request and reads a response."""
    request = token_request(token_url="", audience="", client_id="", scopes=[""], key=key, now=now, jti="")
    assert_type(request, Request)
    assert_type(parse_token_response(response, requested=[""], now=now), AccessToken)
    assert_type(score_request("", score, token=""), Request)
    assert_type(parse_score_response(response), str)
    items, following = parse_lineitems(response, url="")
    assert_type(items, list[LineItem])
    assert_type(following, str | None)
    assert_type(choose_lineitem(items, resource_link_id=""), LineItem | None)
    results, _ = parse_results(response, url="")
    assert_type(results, list[Result])
    assert_type(results[0].score, Decimal | None)
    assert_type(members_request("", token=""), Request)
    assert_type(parse_members(response, url=""), MembersPage)
    sent = replace_result_request(
        outcomes, score=Decimal(1), consumer_key="", secret="", message_id="", nonce="", now=now
    )
    assert_type(sent, Request)
    assert_type(parse_outcome_response(response), OutcomeAnswer)
    assert_type(parse_outcome_response(response).score, Decimal | None)


def migration(launch: Launch, former: FormerIds) -> None:
    """What a platform that is moved says."""
    assert_type(read_former_ids(launch), FormerIds | None)
    assert_type(is_signed(former, launch, secret=""), bool)


def refusals(error: LtiError) -> None:
    """What an error says."""
    assert_type(error.code, str)
    assert_type(error.status, int)
    assert_type(error.hint, str)
    assert_type(error.return_url, str)
