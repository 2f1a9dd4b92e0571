"""Open edX's LTI platform code, running alone: a program of its own, in an environment of its own.

    .venv-peers/edx/bin/python tests/peers/edx_platform.py --port 8801 --data FOLDER

It starts `lti-consumer-xblock`, the code with which an Open edX site launches tools and takes their grades, without
the rest of Open edX: what that code asks of its site (who is signed in, where a block is stored, where a grade goes)
is answered here, everything of LTI is theirs. That package is under the AGPL: nothing of ours imports it or this
file, and the tests talk to this program over HTTP alone.

What an author does in Studio and what a teacher reads is below /control/, as JSON. A learner opens
/courses/<course>/launch/<block>?user=<name>.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import types
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--data", type=Path, required=True)
wish = arguments.parse_args()
BASE = f"http://127.0.0.1:{wish.port}"


class SwitchedOff:
    """A feature switch of the site, as a fresh site has it."""

    def __init__(self, name: str, module: str) -> None:
        self.name = name

    def is_enabled(self, course: object = None) -> bool:
        """No."""
        return False


# The one module of the site that is imported without a way round it.
site_module = types.ModuleType("openedx.core.djangoapps.waffle_utils")
site_module.CourseWaffleFlag = SwitchedOff  # type: ignore[attr-defined]
for parent in ("openedx", "openedx.core", "openedx.core.djangoapps"):
    sys.modules[parent] = types.ModuleType(parent)
sys.modules[site_module.__name__] = site_module

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    SECRET_KEY="of-a-test-platform-and-of-nothing-else",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="edx_platform_urls",
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(wish.data / "platform.sqlite3"),
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "waffle",
        "config_models",
        "lti_consumer",
    ],
    MIDDLEWARE=[
        "edx_django_utils.cache.middleware.RequestCacheMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "edx_django_utils.cache.middleware.TieredCacheMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"lines": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["lines"], "level": "INFO"},
    },
    # What the package reads from its site.
    USAGE_ID_PATTERN=r"(?P<usage_id>block-v1:[^/]+)",
    PLATFORM_NAME="Open edX",
    LMS_ROOT_URL=BASE,
    LTI_BASE=BASE,
    LTI_API_BASE=BASE,
    OPENEDX_TELEMETRY=[],
    SERVICE_VARIANT="lms",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from lti_consumer import api  # noqa: E402
from lti_consumer.exceptions import LtiError  # noqa: E402
from lti_consumer.lti_xblock import LtiConsumerXBlock  # noqa: E402
from lti_consumer.models import LtiAgsLineItem, LtiConfiguration, LtiDlContentItem  # noqa: E402
from lti_consumer.plugin import compat, views  # noqa: E402
from opaque_keys.edx.keys import CourseKey, UsageKey  # noqa: E402
from xblock.django.request import django_to_webob_request, webob_to_django_response  # noqa: E402
from xblock.fields import ScopeIds  # noqa: E402
from xblock.reference.user_service import UserService, XBlockUser  # noqa: E402
from xblock.runtime import DictKeyValueStore, KvsFieldData, MemoryIdManager, Runtime  # noqa: E402

COURSE = CourseKey.from_string("course-v1:Polytechnic+LTI101+2026")
THIRD_PARTY_HANDLERS = {"outcome_service_handler"}


# --- The site: people, the course, its gradebook -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class User:
    """Somebody of the site. `anonymous_id` is theirs in one course, `external_id` on the whole site."""

    id: int
    username: str
    full_name: str
    role: str
    anonymous_id: str
    external_id: str

    @property
    def email(self) -> str:
        """Where they are reached."""
        return f"{self.username}@polytechnic.example"


USERS = {
    user.username: user
    for user in (
        User(11, "zoe", "Zoë d'Arc Müller", "student", "7b3c" * 8, "0b0e60ab-52f5-4f4c-9f0a-7d3f2b1c0011"),
        User(12, "bo", "Bo", "student", "91de" * 8, "0b0e60ab-52f5-4f4c-9f0a-7d3f2b1c0012"),
        User(13, "tess", "Tess Teacher", "instructor", "c0ff" * 8, "0b0e60ab-52f5-4f4c-9f0a-7d3f2b1c0013"),
        User(14, "stan", "Stan Staff", "staff", "5afe" * 8, "0b0e60ab-52f5-4f4c-9f0a-7d3f2b1c0014"),
    )
}
# People of the course who never open anything: enough for several pages of the roster.
CROWD = {
    f"crowd-{number}": User(
        number,
        f"crowd-{number}",
        f"Learner {number}",
        "student",
        f"{number:032x}",
        f"0b0e60ab-52f5-4f4c-9f0a-{number:012x}",
    )
    for number in range(1000, 1450)
}
EVERYBODY = {**USERS, **CROWD}
# Display name, organization and "id:key:secret" of LTI 1.1 tools, as in the course's advanced settings.
COURSE_SETTINGS = types.SimpleNamespace(
    display_name_with_default="Interoperability for all: Ä & <B>",
    display_org_with_default="Polytechnic",
    lti_passports=[],
)
BLOCKS: dict[str, dict[str, Any]] = {}
GRADEBOOK: dict[tuple[str, str], dict[str, Any]] = {}
GRADE_EVENTS: list[dict[str, Any]] = []
SERVICE_CALLS: list[dict[str, Any]] = []


class Users(UserService):
    """Who is signed in, and who hides behind an id."""

    def __init__(self, user: User | None) -> None:
        super().__init__()
        self.user = user

    def get_current_user(self) -> XBlockUser:
        """The learner of this request."""
        shown = XBlockUser(is_current_user=True)
        shown.opt_attrs["edx-platform.is_authenticated"] = self.user is not None
        if self.user is not None:
            shown.emails, shown.full_name = [self.user.email], self.user.full_name
            shown.opt_attrs.update(
                {
                    "edx-platform.user_id": self.user.id,
                    "edx-platform.username": self.user.username,
                    "edx-platform.anonymous_user_id": self.user.anonymous_id,
                    "edx-platform.user_role": self.user.role,
                    "edx-platform.user_is_staff": False,
                    "edx-platform.user_preferences": {"pref-lang": "en"},
                }
            )
        return shown

    def get_external_user_id(self, kind: str) -> str | None:
        """The id that LTI 1.3 tools see."""
        return self.user.external_id if self.user else None

    def get_user_by_anonymous_id(self, anonymous_id: str) -> User | None:
        """The learner to whom an LTI 1.1 tool sends a grade."""
        return next((user for user in USERS.values() if user.anonymous_id == anonymous_id), None)


class Rebinding:
    """Puts a learner behind a block that was loaded for nobody."""

    def rebind_noauth_module_to_user(self, block: Any, user: User) -> None:
        """Bind it."""
        block.scope_ids = block.scope_ids._replace(user_id=user.id)


class SiteRuntime(Runtime):
    """What an XBlock asks of its site."""

    def __init__(self, user: User | None) -> None:
        ids = MemoryIdManager()
        super().__init__(ids, ids, services={"user": Users(user), "rebind_user": Rebinding()})

    def handler_url(self, block: Any, handler_name: str, *rest: Any, thirdparty: bool = False, **named: Any) -> str:
        """Where a handler is reached, with a course key in the path as on a real site."""
        place = "handler_noauth" if thirdparty else "handler"
        usage = quote(str(block.scope_ids.usage_id), safe="/~:@!$&'()*+,;=")
        return f"{BASE}/courses/{COURSE}/xblock/{usage}/{place}/{handler_name}"

    def publish(self, block: Any, event_type: str, event_data: dict[str, Any]) -> None:
        """A grade goes into the gradebook."""
        if event_type != "grade":
            return
        name = str(block.scope_ids.usage_id.block_id)
        user = next(user.username for user in EVERYBODY.values() if user.id == event_data["user_id"])
        entry = {"block": name, "user": user, "value": event_data["value"], "maximum": event_data["max_value"]}
        GRADEBOOK[name, user] = entry
        GRADE_EVENTS.append(entry)

    def resource_url(self, resource: str) -> str:
        """Never asked for here."""
        raise NotImplementedError

    def local_resource_url(self, block: Any, uri: str) -> str:
        """Never asked for here."""
        raise NotImplementedError


class CourseBlock(LtiConsumerXBlock):
    """The LTI component with what every component of a course inherits."""

    start: datetime | None = None
    due: datetime | None = None
    graceperiod = None
    graded = True


def locate(name: str) -> UsageKey:
    """The address of a block in the course."""
    return COURSE.make_usage_key("lti_consumer", name)


def load_block(location: UsageKey, user: User | None = None) -> CourseBlock:
    """The block as its author left it, bound to a learner or to nobody."""
    fields = BLOCKS[location.block_id]
    scope_ids = ScopeIds(user.id if user else None, "lti_consumer", location, location)
    block = CourseBlock(SiteRuntime(user), KvsFieldData(DictKeyValueStore()), scope_ids)
    for name, value in fields.items():
        setattr(block, name, value)
    return block


def find_by_external_id(external_id: str) -> User:
    """The learner to whom an LTI 1.3 tool sends a grade."""
    for user in EVERYBODY.values():
        if user.external_id == external_id:
            return user
    raise LtiError("Invalid User")


def describe_member(user: User) -> dict[str, Any]:
    """Somebody of the course, as the site's own list of members has it."""
    named = {"id": user.id, "username": user.username, "email": user.email, "name": user.full_name}
    return {**named, "roles": [user.role]}


def attach_external_ids(view: object, members: dict[int, dict[str, Any]]) -> None:
    """The id that LTI 1.3 tools see goes beside each member."""
    for user in EVERYBODY.values():
        members[user.id]["external_id"] = user.external_id


compat.load_enough_xblock = load_block
compat.load_block_as_user = load_block
compat.get_user_from_external_user_id = find_by_external_id
compat.get_course_by_id = lambda course: COURSE_SETTINGS
compat.user_has_studio_write_access = lambda user, course: True
compat.get_course_members = lambda course: {user.id: describe_member(user) for user in EVERYBODY.values()}
compat.merge_course_forum_roles = lambda course, members: None
views.LtiNrpsContextMembershipViewSet.attach_external_user_ids = attach_external_ids


# --- What a learner's browser and the tool ask for -----------------------------------------------------------------


def launch(request: HttpRequest, course: str, name: str) -> HttpResponse:
    """Opens the tool as the component's button does: with a signed form, or with the sign-in of LTI 1.3."""
    block = load_block(locate(name), USERS[request.GET["user"]])
    if block.lti_version == "lti_1p3":
        return HttpResponseRedirect(block._get_lti_block_launch_handler())
    return webob_to_django_response(block.handle("lti_launch_handler", django_to_webob_request(request)))


def select_content(request: HttpRequest, course: str, name: str) -> HttpResponse:
    """Opens the tool as Studio's button 'Deep Linking Launch' does."""
    block = load_block(locate(name), USERS[request.GET["user"]])
    return HttpResponseRedirect(
        api.get_lti_1p3_launch_start_url(block.get_lti_1p3_launch_data(), deep_link_launch=True)
    )


@csrf_exempt
def third_party(request: HttpRequest, course: str, usage: str, handler: str) -> HttpResponse:
    """A handler of a block that is open to programs without a session."""
    if handler not in THIRD_PARTY_HANDLERS:
        return HttpResponse(status=404)
    block = load_block(UsageKey.from_string(usage))
    return webob_to_django_response(block.handle(handler, django_to_webob_request(request)))


# --- What an author and a teacher do -------------------------------------------------------------------------------


@csrf_exempt
def save_block(request: HttpRequest, name: str) -> JsonResponse:
    """Saves a component with the given fields and tells what a tool has to know of it."""
    fields = json.loads(request.body)
    due = fields.pop("due", None)
    BLOCKS[name] = {
        "display_name": name,
        "has_score": True,
        "ask_to_send_username": True,
        "ask_to_send_full_name": True,
        "ask_to_send_email": True,
        "due": datetime.fromisoformat(due) if due else None,
        **fields,
    }
    block = load_block(locate(name))
    config_id = api.config_id_for_block(block)
    if block.lti_version != "lti_1p3":
        return JsonResponse({"resource_link_id": block.resource_link_id})
    config = LtiConfiguration.objects.get(config_id=config_id)
    return JsonResponse(
        {
            "resource_link_id": block.resource_link_id,
            "issuer": BASE,
            "client_id": config.lti_1p3_client_id,
            "deployment_id": "1",
            "authentication_url": f"{BASE}/api/lti_consumer/v1/launch/",
            "token_url": f"{BASE}/api/lti_consumer/v1/token/{config.passport_id}",
            "keyset_url": f"{BASE}/api/lti_consumer/v1/public_keysets/{config.passport_id}",
            "passport_id": str(config.passport_id),
            "line_items_path": f"/api/lti_consumer/v1/lti/{config.pk}/lti-ags",
        }
    )


@csrf_exempt
def save_passports(request: HttpRequest) -> JsonResponse:
    """The course's LTI 1.1 keys."""
    COURSE_SETTINGS.lti_passports = json.loads(request.body)
    return JsonResponse({})


def show_grades(request: HttpRequest) -> JsonResponse:
    """The gradebook, and every change of it."""
    return JsonResponse({"gradebook": list(GRADEBOOK.values()), "events": GRADE_EVENTS})


def show_line_items(request: HttpRequest) -> JsonResponse:
    """The columns that AGS knows, each with its scores."""
    items = [
        {
            "id": item.pk,
            "block": item.lti_configuration.location.block_id,
            "resource_link_id": str(item.resource_link_id),
            "resource_id": item.resource_id,
            "tag": item.tag,
            "label": item.label,
            "maximum": item.score_maximum,
            "scores": [
                {
                    "user_id": score.user_id,
                    "given": score.score_given,
                    "maximum": score.score_maximum,
                    "comment": score.comment,
                    "activity": score.activity_progress,
                    "grading": score.grading_progress,
                }
                for score in item.scores.order_by("pk")
            ],
        }
        for item in LtiAgsLineItem.objects.select_related("lti_configuration").order_by("pk")
    ]
    return JsonResponse({"line_items": items})


def show_content(request: HttpRequest) -> JsonResponse:
    """What tools chose by Deep Linking."""
    items = LtiDlContentItem.objects.select_related("lti_configuration").order_by("pk")
    shown = [
        {"block": item.lti_configuration.location.block_id, "type": item.content_type, **item.attributes}
        for item in items
    ]
    return JsonResponse({"content": shown})


def show_service_calls(request: HttpRequest) -> JsonResponse:
    """Which services the tool called, and what they answered."""
    return JsonResponse({"calls": SERVICE_CALLS})


def show_about(request: HttpRequest) -> JsonResponse:
    """Who is who, and which versions run."""
    names = ("lti-consumer-xblock", "XBlock", "Django", "djangorestframework", "oauthlib", "PyJWT")
    return JsonResponse(
        {
            "versions": {"Python": sys.version.split()[0], **{name: version(name) for name in names}},
            "course": str(COURSE),
            "users": {name: dataclasses.asdict(user) | {"email": user.email} for name, user in USERS.items()},
        }
    )


urls = types.ModuleType("edx_platform_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path("api/", include("lti_consumer.plugin.urls")),
    path("courses/<str:course>/launch/<slug:name>", launch),
    path("courses/<str:course>/select/<slug:name>", select_content),
    path("courses/<str:course>/xblock/<str:usage>/handler_noauth/<slug:handler>", third_party),
    path("control/about", show_about),
    path("control/passports", save_passports),
    path("control/blocks/<slug:name>", save_block),
    path("control/grades", show_grades),
    path("control/lineitems", show_line_items),
    path("control/content", show_content),
    path("control/calls", show_service_calls),
]
sys.modules[urls.__name__] = urls


# --- The server ----------------------------------------------------------------------------------------------------


class Server(ThreadingMixIn, WSGIServer):
    """One thread for each request: the token service asks the tool for its keys while the tool waits."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Writes nothing down: the calls of services are kept below."""

    def log_message(self, format: str, *rest: Any) -> None:
        """Quiet."""


def keep_service_calls(application: Any) -> Any:
    """Notes each call of a service. The query and the kind of content show what the tool chose."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        def note_and_start(status: str, headers: Any, *rest: Any) -> Any:
            address = environ["PATH_INFO"]
            if any(part in address for part in ("/lti-ags", "/v1/token/", "/handler_noauth/", "/memberships")):
                SERVICE_CALLS.append(
                    {
                        "method": environ["REQUEST_METHOD"],
                        "path": address,
                        "query": environ["QUERY_STRING"],
                        "accept": environ.get("HTTP_ACCEPT", ""),
                        "content_type": environ.get("CONTENT_TYPE", ""),
                        "status": int(status[:3]),
                    }
                )
            return start_response(status, headers, *rest)

        return application(environ, note_and_start)

    return answer


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    server = make_server("127.0.0.1", wish.port, keep_service_calls(get_wsgi_application()), Server, Handler)
    print(f"Open edX's LTI code answers at {BASE}", flush=True)
    server.serve_forever()
