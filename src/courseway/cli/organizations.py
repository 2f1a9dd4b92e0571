"""org create, key create, platform add, account reset, launches."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.db.models import Q
from django.utils import timezone

from courseway.cli.answers import Answer, RefusedError, draw_table, list_facts
from courseway.lms import addresses
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import Launch
from courseway.lms.registrations import create_registration, share_registration
from courseway.orgs.models import Account, Organization
from courseway.orgs.organizations import create_organization
from courseway.orgs.sign_in_links import make_sign_in_link
from courseway.settings import env

# What the fields of a registration are called on the command line.
_FLAGS = {
    "issuer": "--issuer",
    "client_id": "--client-id",
    "authentication_url": "--auth-url",
    "token_url": "--token-url",
    "keyset_url": "--keyset-url",
    "audience": "--audience",
    "deployment_ids": "--deployment",
    "key": "--key",
    "secret": "--secret",
    "name": "--name",
}


def get_organization(slug: str) -> Organization:
    organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        slugs = list(Organization.objects.order_by("slug").values_list("slug", flat=True)[:5])
        there_are = f"There are: {', '.join(slugs)}." if slugs else "Make one with `courseway org create`."
        raise RefusedError(f"There is no organization {slug!r}. {there_are}")
    return organization


def create(wish: Namespace) -> Answer:
    password = env.str("COURSEWAY_OWNER_PASSWORD", "") or None
    organization, owner, path = create_organization(wish.name, wish.owner, password=password, now=timezone.now())
    document = {"org": organization.slug, "owner": owner.email}
    if path:
        document["invitation_url"] = addresses.absolute(path)
    facts = [
        ("Organization", f"{organization.name} ({organization.slug})"),
        ("Owner", owner.email),
        ("Invitation", document.get("invitation_url")),
        ("Sign-in", "" if path else addresses.absolute("/account/login/")),
    ]
    return Answer(document, list_facts(facts))


def create_key(wish: Namespace) -> Answer:
    organization = get_organization(wish.org)
    try:
        consumer_key, secret = create_consumer_key(organization, name=wish.name, key=wish.key, secret=wish.secret)
    except IntegrationError as error:
        raise _refuse(error) from None
    document = {
        "key": consumer_key.key,
        "secret": secret,
        "launch_url": addresses.launch_url(),
        "xml_url": addresses.xml_url(consumer_key),
    }
    facts = [
        ("LTI Consumer (key)", document["key"]),
        ("LTI Secret", secret),
        ("LTI URL", document["launch_url"]),
        ("XML Configuration URL", document["xml_url"]),
    ]
    return Answer(document, list_facts(facts))


def add_platform(wish: Namespace) -> Answer:
    values = {
        "issuer": wish.issuer,
        "client_id": wish.client_id,
        "authentication_url": wish.auth_url,
        "token_url": wish.token_url,
        "keyset_url": wish.keyset_url,
        "audience": wish.audience,
        "name": wish.name,
    }
    if wish.shared and wish.deployment:
        raise RefusedError("--deployment: the deployments of a shared registration are entered by organizations.")
    try:
        if wish.shared:
            registration = share_registration(**values)
        else:
            registration = create_registration(get_organization(wish.org), **values, deployment_ids=wish.deployment)
    except IntegrationError as error:
        raise _refuse(error) from None
    document = {
        "id": registration.platform.public_id,
        "login_url": addresses.login_url(),
        "redirect_url": addresses.redirect_url(),
        "launch_url": addresses.launch_url(),
        "keyset_url": addresses.keyset_url(),
        "deep_linking_url": addresses.deep_linking_url(),
        "canvas_json_url": addresses.canvas_json_url(),
    }
    facts = [
        ("Platform", f"{registration} ({document['id']})"),
        ("Login URL", document["login_url"]),
        ("Redirect URL", document["redirect_url"]),
        ("Launch URL", document["launch_url"]),
        ("Keyset URL", document["keyset_url"]),
    ]
    return Answer(document, list_facts(facts))


def reset_account(wish: Namespace) -> Answer:
    account = Account.objects.filter(email__iexact=wish.email.strip()).first()
    if account is None:
        raise RefusedError(f"Nobody signs in here with the e-mail {wish.email!r}.")
    if not account.is_active:
        raise RefusedError(f"The account {account.email} is closed.")
    url = addresses.absolute(make_sign_in_link(account, now=timezone.now()))
    return Answer({"url": url}, f"{account.email} can sign in once with:\n{url}")


def list_launches(wish: Namespace) -> Answer:
    organization = get_organization(wish.org)
    shown = Q(organization=organization)
    if Organization.objects.count() == 1:
        # A launch with a foreign key belongs to nobody; where there is one organization, it is theirs to mend.
        shown |= Q(organization=None)
    launches = Launch.objects.filter(shown).select_related("platform", "person").order_by("-pk")[: wish.limit]
    rows = [_encode_launch(launch) for launch in launches]
    heads = ("at", "outcome", "code", "person", "platform", "context_id", "rule", "reference")
    table = draw_table(heads, [[row[head] for head in heads] for row in rows], empty="No launch has come yet.")
    return Answer(rows, table)


def _encode_launch(launch: Launch) -> dict[str, Any]:
    return {
        "reference": launch.reference,
        "at": launch.at.isoformat(timespec="seconds"),
        "version": launch.version,
        "platform": str(launch.platform) if launch.platform else None,
        "platform_id": launch.platform.public_id if launch.platform else None,
        "context_id": launch.context_id,
        "person": launch.person.shown_name if launch.person else None,
        "person_id": launch.person.public_id if launch.person else None,
        "role": launch.role,
        "outcome": launch.outcome,
        "code": launch.code,
        "step": launch.step,
        "detail": launch.detail,
        "rule": launch.rule,
        "landed_on": launch.landed_on,
    }


def _refuse(error: IntegrationError) -> RefusedError:
    flag = _FLAGS.get(error.field, error.field)
    return RefusedError(f"{flag}: {error.message}" if flag else error.message)
