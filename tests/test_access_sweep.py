"""Every address there is, visited by people who have no business there: they learn and change nothing of others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from courseway.courses.models import Enrollment, Page, Role
from courseway.events.endpoints import lock_secret
from courseway.events.models import Event, WebhookEndpoint
from courseway.grades.models import Delivery
from courseway.learning.models import Submission, Upload
from courseway.learning.scoring import set_grade
from courseway.lms.deployment_claims import claim_deployment
from courseway.lms.models import CourseContext, Deployment, InstructorApproval, Launch, LmsIdentity, ResourceLink
from courseway.lms.registration_links import make_registration_link
from courseway.orgs.invitations import invite
from courseway.orgs.models import Account, Invitation, Member, Person
from tests.cast import Cast
from tests.courseway.lms.selections import ask_by_deep_linking, open_picker
from tests.visits import Lms11, make_lms11, make_lms13, open_launch

# What may be written without a right: sessions, mail codes and the log of refused launches.
OPEN_MODELS = {"sessions.session", "lms.launch", "account.emailconfirmation"}


# Parameters that name a secret of somebody's mail; guessing them is not what is tested here.
GUESSED = {"token", "key", "uidb36"}
# Parameters that name a page of everybody's: the guide of an LMS, a page of an assignment.
SHARED = {"lms", "page"}
# Parameters that say where one is; all others name a row in there.
PLACES = {"slug", "organization", "course_id", "course"}


@dataclass
class Scene:
    """The cast in the middle of a term: launches came, work was graded, the LMS was told."""

    cast: Cast
    lms: Lms11
    values: dict[str, list[str]]
    secrets: list[str]


def list_numbers(rows: QuerySet[Any]) -> list[str]:
    return [str(pk) for pk in rows.values_list("pk", flat=True)]


@pytest.fixture
def scene(cast: Cast, client: Client) -> Scene:
    return make_scene(cast, client)


def make_scene(cast: Cast, client: Client) -> Scene:
    lms, lms13 = make_lms11(cast.acme), make_lms13(cast.acme)
    # Titles that stand on no page by chance, as the ones of the example do.
    for row, title in ((cast.course, "Griffins and their care"), (cast.operators, "Measuring wingspans")):
        row.title = title
        row.save()
    response = lms.launch(client, f"/lti/a/{cast.operators.public_id}", lis_person_name_full="Sally Learner")
    assert response.status_code == 303, response.content
    now = datetime.now(UTC)
    sally = Person.objects.get(lms_identities__lms_user_id="user-1")
    endpoint = WebhookEndpoint(organization=cast.acme, url="https://hooks.acme.example/in", kinds=["grade.released"])
    endpoint.secret_encrypted = lock_secret(endpoint, "whsec_" + "c2VjcmV0" * 4)
    endpoint.save()
    for person in (sally, cast.sam, cast.sue):
        set_grade(assignment=cast.operators, person=person, percent=Decimal(80), complete=True, release=True, now=now)
    assert Delivery.objects.filter(person=sally).exists()
    upload = Upload.objects.create(
        submission=Submission.objects.get(person=cast.sam), name="The secret essay.pdf", path="uploads/none", size=1
    )
    invite(cast.acme, "guest@acme.example", Member.Role.TEACHER, invited_by=cast.olive, now=now)
    link, _ = make_registration_link(cast.acme, made_by=cast.olive, now=now)
    shared = make_lms13(None, client_id="client-of-the-operator").platform
    claim = claim_deployment(cast.acme, shared, "deployment-of-acme", claimed_by=cast.olive, now=now)
    approval = InstructorApproval.objects.create(platform=lms.platform, lms_user_id="i", asked_at=now)
    connections = list_numbers(CourseContext.objects.all())
    platforms = [lms.platform, lms13.platform, shared]
    people = [cast.sam, cast.sue, cast.mia, cast.tom_person, sally]
    values = {
        "slug": [cast.acme.slug],
        "organization": [cast.acme.slug],
        "course": [cast.course.public_id],
        "course_id": [cast.course.public_id],
        "assignment": [cast.operators.public_id],
        "assignment_id": [cast.operators.public_id],
        "content": [cast.operators.content_id],
        "person": [cast.sue.public_id, sally.public_id],
        "person_id": [cast.sue.public_id, sally.public_id],
        "platform": [platform.public_id for platform in platforms],
        "public_id": [cast.course.public_id, *(row.public_id for row in Submission.objects.all())],
        "page": list(Page.objects.filter(assignment=cast.operators).values_list("key", flat=True)),
        "reference": list(Launch.objects.values_list("reference", flat=True)),
        "instructors/pk": [str(approval.pk)],
        "deployments/pk": [*list_numbers(Deployment.objects.all()), str(claim.pk)],
        "part/pk": list_numbers(Deployment.objects.all()),
        "connections/pk": connections,
        "parents/pk": connections,
        "grades/pk": list_numbers(Delivery.objects.all()),
        "invitations/pk": list_numbers(Invitation.objects.all()),
        "registration-links/pk": [str(link.pk)],
        "members/pk": list_numbers(Member.objects.filter(organization=cast.acme)),
        "lms": ["canvas"],
        "endpoint": [endpoint.public_id],
        "upload": [upload.public_id],
        "event": list(Event.objects.values_list("public_id", flat=True)[:1]),
        "link": list_numbers(ResourceLink.objects.all()),
        "delivery": list_numbers(Delivery.objects.all()),
    }
    secrets = [
        *(person.name for person in people),
        *(person.email for person in people if person.email),
        "Olive Owner",
        cast.olive.email,
        "guest@acme.example",
        cast.acme.name,
        cast.course.title,
        cast.operators.title,
        lms.key,
        lms.secret,
        claim.deployment_id,
        endpoint.url,
        upload.name,
    ]
    return Scene(cast, lms, values, secrets)


def list_routes() -> list[str]:
    """Every address of the product as a pattern, such as `courses/<slug:course_id>/gradebook/`."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            here = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, here)
            elif isinstance(pattern, URLPattern):
                yield here

    return sorted(set(walk(get_resolver().url_patterns, "")))


def list_parameters(route: str) -> list[str]:
    """Their names; numbers are all called `pk`, so that what they count, which stands before them, says which."""
    found = re.findall(r"([\w-]*)/?<([\w:]+)>", route)
    names = [(before, name.rpartition(":")[2]) for before, name in found]
    return [f"{before}/{name}" if name == "pk" else name for before, name in names]


def fill(route: str, values: dict[str, list[str]]) -> list[str]:
    """The addresses of a route with the cast's ids in the places of its parameters, found by their names."""
    # Regular expressions of allauth become parameters of the same names.
    route = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).replace("^", "").replace("\\Z", "").replace("$", "")
    choices = [values.get(name, ["1"]) for name in list_parameters(route)]
    parts = re.split(r"<[\w:]+>", route)
    return [
        "/" + "".join(part + value for part, value in itertools.zip_longest(parts, chosen, fillvalue=""))
        for chosen in itertools.product(*choices)
    ]


def list_addresses(scene: Scene) -> dict[str, str]:
    """Every address with the cast's ids in it, and the route that it is one of."""
    return {path: route for route in list_routes() for path in fill(route, scene.values)}


Visit = Callable[[str, str], Any]


def visit_as_nobody(scene: Scene) -> Visit:
    return lambda method, path: send(Client(raise_request_exception=False), method, path)


def visit_signed_in(account: Account) -> Visit:
    """Each address in a session in which nothing happened but the sign-in. To sign in costs more than most pages, so
    only an address that changes the session or a cookie makes the next one sign in anew."""
    client = Client(raise_request_exception=False)

    def visit(method: str, path: str) -> Any:
        if not client.cookies:
            client.force_login(account)
        signed_in = client.cookies.output()
        response = send(client, method, path)
        # Whatever is written to a session sends its cookie, and so does signing out.
        if settings.SESSION_COOKIE_NAME in response.cookies or client.cookies.output() != signed_in:
            client.cookies.clear()
        return response

    return visit


def visit_as_outsider(scene: Scene) -> Visit:
    return visit_signed_in(scene.cast.oscar)


def visit_as_foreign_student(scene: Scene) -> Visit:
    """In the session of a launch into the course of another organization."""
    client = Client(raise_request_exception=False)
    cast = scene.cast
    person = Person.objects.create(organization=cast.umbrella, name="Fay Foreign", email="fay@umbrella.example")
    prefix = open_launch(client, person, cast.foreign_course, Role.STUDENT, cast.foreign_assignment)
    return lambda method, path: send(client, method, prefix + path)


def visit_as_fellow_student(scene: Scene) -> Visit:
    """In the session of a launch into the same course, as somebody who knows the others from class at most."""
    client = Client(raise_request_exception=False)
    person = Person.objects.create(organization=scene.cast.acme, name="Finn Fellow", email="finn@acme.example")
    prefix = open_launch(client, person, scene.cast.course, Role.STUDENT, scene.cast.operators)
    return lambda method, path: send(client, method, prefix + path)


def visit_as_choosing_teacher(scene: Scene) -> Visit:
    """In the picker of another organization's LMS, as a teacher whose account teaches there."""
    client = Client(raise_request_exception=False)
    lms = make_lms13(scene.cast.umbrella, client_id="client-of-umbrella")
    oscar = Person.objects.create(organization=scene.cast.umbrella, account=scene.cast.oscar, name="Oscar Outsider")
    LmsIdentity.objects.create(platform=lms.platform, lms_user_id="teacher-1", person=oscar)
    asked = ask_by_deep_linking(client, lms, name="Oscar", email="oscar@umbrella.example")
    picker, page = open_picker(client, asked)
    assert scene.cast.foreign_course.title in page

    return lambda method, path: send(client, method, picker.removesuffix("/choose/") + path)


def visit_as_former_teacher(scene: Scene) -> Visit:
    """An account that taught here once and was taken out of the organization and the course."""
    Member.objects.filter(organization=scene.cast.acme, account=scene.cast.tom).delete()
    Enrollment.objects.filter(person=scene.cast.tom_person).update(active=False)
    return visit_signed_in(scene.cast.tom)


def send(client: Client, method: str, path: str) -> Any:
    return getattr(client, method)(path, secure=True, HTTP_HOST="tool.example")


# Who comes, and which of the cast's secrets they may know.
VISITORS: list[tuple[Callable[[Scene], Visit], set[str]]] = [
    (visit_as_nobody, set()),
    (visit_as_outsider, set()),
    (visit_as_foreign_student, set()),
    (visit_as_former_teacher, {"Tom Teacher", "tom@acme.example", "Acme University"}),
    (visit_as_fellow_student, {"Griffins and their care", "Measuring wingspans", "Acme University"}),
    (visit_as_choosing_teacher, set()),
]


def read_body(response: HttpResponse) -> str:
    content = b"".join(response) if getattr(response, "streaming", False) else response.content
    return content.decode("utf-8", "replace")


@pytest.mark.parametrize(("make_visit", "known"), VISITORS, ids=[visitor.__name__ for visitor, _ in VISITORS])
def test_no_address_tells_others_about_people(
    scene: Scene, make_visit: Callable[[Scene], Visit], known: set[str]
) -> None:
    """Whoever has no right sees no name, no e-mail and no key of the cast, at any address, and no address breaks."""
    visit, wrong = make_visit(scene), []
    for path in list_addresses(scene):
        response = visit("get", path)
        body = read_body(response)
        told = [secret for secret in scene.secrets if secret not in known and secret in body]
        if response.status_code >= 500 or told:
            wrong.append(f"{path} answered {response.status_code} and told {told}")
    assert not wrong, "\n".join(wrong)


# Where these write after all, as the beginning and the end of the address: the own work, and the own choice.
OWN = {visit_as_fellow_student: ("/learn/assignments/", "/"), visit_as_choosing_teacher: ("/choose/cancel", "")}


# Who has no right to anything here: each POST is refused as such, whatever it holds.
STRANGERS = (visit_as_nobody, visit_as_outsider, visit_as_foreign_student)


def is_of_a_right(route: str) -> bool:
    """Not the messages of LMSs and the codes of mails: they carry their right inside."""
    return bool(set(list_parameters(route)) - GUESSED - SHARED) and not route.startswith("lti/")


def is_refusal(response: HttpResponse) -> bool:
    is_sent_to_sign_in = response.status_code == 302 and "/account/login/" in response["Location"]
    return is_sent_to_sign_in or response.status_code in (403, 404, 405)


@pytest.mark.parametrize("make_visit", [visitor for visitor, _ in VISITORS], ids=lambda visitor: visitor.__name__)
def test_no_address_lets_others_change_anything(scene: Scene, make_visit: Callable[[Scene], Visit]) -> None:
    """Whoever has no right changes no row by a POST to any address, and no address breaks. The right is asked before
    the form is read: no form's own words hide a right that nobody asked."""
    visit, wrong, refused = make_visit(scene), [], 0
    beginning, end = OWN.get(make_visit, ("nowhere", ""))
    before = read_rows()
    writes: list[str] = []

    def note_writes(execute: Any, sql: str, *rest: Any) -> Any:
        # Reading all rows after every request would take long; signing in alone changes none that count.
        is_sign_in = "django_session" in sql or "last_login" in sql
        if not is_sign_in and not sql.lstrip().upper().startswith(
            ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
        ):
            writes.append(sql)
        return execute(sql, *rest)

    for path, route in list_addresses(scene).items():
        if path.startswith(beginning) and path.endswith(end):
            continue
        with connection.execute_wrapper(note_writes):
            response = visit("post", path)
        if response.status_code >= 500:
            wrong.append(f"{path} answered {response.status_code}")
        if make_visit in STRANGERS and is_of_a_right(route):
            refused += is_refusal(response)
            wrong += [f"{path} answered {response.status_code}"] * (not is_refusal(response))
        if writes:
            after = read_rows()
            wrong += [f"{path} changed {name}" for name in before if before[name] != after[name]]
            before = after
            writes.clear()
    assert not wrong, "\n".join(wrong)
    assert refused > 60 or make_visit not in STRANGERS


@pytest.mark.parametrize("method", ["get", "post"])
def test_rows_of_others_are_not_there_inside_ones_own(scene: Scene, method: str) -> None:
    """Ids of another organization in addresses of one's own open nothing and change nothing, also for an owner."""
    visit, wrong = visit_as_outsider(scene), []
    own = {"slug": scene.cast.umbrella.slug, "course_id": scene.cast.foreign_course.public_id}
    values = {**scene.values, **{name: [value] for name, value in own.items()}}
    before, tried = read_rows(), 0
    for route in list_routes():
        parameters = set(list_parameters(route))
        if not parameters & PLACES or not parameters - PLACES - GUESSED - SHARED:
            continue
        for path in fill(route, values):
            response, tried = visit(method, path), tried + 1
            if not 400 <= response.status_code < 500:
                wrong.append(f"{path} answered {response.status_code}")
    assert tried > 20
    assert not wrong, "\n".join(wrong)
    assert read_rows() == before


def read_rows() -> dict[str, str]:
    """All rows that count, as text, by model. When somebody signed in last is nobody's business here."""
    rows = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.label_lower not in OPEN_MODELS:
                columns = [field.column for field in model._meta.concrete_fields if field.name != "last_login"]
                key = model._meta.pk.column
                listed = ", ".join(f'"{column}"' for column in columns)
                cursor.execute(f'SELECT {listed} FROM "{model._meta.db_table}" ORDER BY "{key}"')
                rows[model._meta.label] = repr(cursor.fetchall())
    return rows


def test_the_sweep_knows_every_parameter(scene: Scene) -> None:
    """A new kind of id in an address needs rows of the cast here, or the sweep would pass it by."""
    named = {name for route in list_routes() for name in list_parameters(route)}
    assert named - GUESSED <= {name for name, values in scene.values.items() if values}


def test_the_sweep_would_see_a_leak(scene: Scene) -> None:
    """The owner, at the same addresses, sees the names of people: the sweep goes where they are shown."""
    visit = visit_signed_in(scene.cast.olive)
    seen: dict[str, set[str]] = {}
    for path in list_addresses(scene):
        response = visit("get", path)
        body = read_body(response) if response.status_code == 200 else ""
        seen[path] = {secret for secret in scene.secrets if secret in body}
    assert {"Sam Student", "sam@acme.example", "Sally Learner", scene.cast.course.title, scene.lms.key} <= set().union(
        *seen.values()
    )
    assert len([path for path, secrets in seen.items() if "Sam Student" in secrets]) >= 3, seen
