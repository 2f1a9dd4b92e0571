"""A tool made with pylti1p3, a program of other people, in an environment of its own, for the practice LMS to launch.

    .venv-peers/pylti1p3/bin/python tests/peers/pylti1p3_tool.py '{"port": 8802, "platform": {…}}'

Each launch answers JSON: who came, and what became of the things that the link's custom parameter `do` names. The
tests talk to this program over HTTP alone.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, jsonify
from pylti1p3.contrib.flask import FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem
from pylti1p3.tool_config import ToolConfDict

wish = json.loads(sys.argv[1])
platform = wish["platform"]
BASE = f"http://127.0.0.1:{wish['port']}"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"

key = rsa.generate_private_key(65537, 2048)
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
config = ToolConfDict(
    {
        platform["issuer"]: {
            "client_id": platform["client_id"],
            "auth_login_url": platform["auth_url"],
            "auth_token_url": platform["token_url"],
            "auth_audience": None,
            "key_set_url": platform["keyset_url"],
            "key_set": None,
            "deployment_ids": [platform["deployment_id"]],
        }
    }
)
config.set_private_key(platform["issuer"], private)
config.set_public_key(platform["issuer"], public.decode())

app = Flask(__name__)
app.secret_key = "of-a-test-tool-and-of-nothing-else"


@app.route("/about")
def about() -> Any:
    """What runs here."""
    return jsonify({name: version(name) for name in ("pylti1p3next", "Flask")})


@app.route("/keys")
def keys() -> Any:
    """Our public keys."""
    return jsonify(config.get_jwks())


@app.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """The login request."""
    return FlaskOIDCLogin(FlaskRequest(), config).redirect(f"{BASE}/launch")


@app.route("/launch", methods=["POST"])
def launch() -> Any:
    """A message that the library found good."""
    message = FlaskMessageLaunch(FlaskRequest(), config)
    data = message.get_launch_data()
    if message.is_deep_link_launch():
        return message.get_deep_link().output_response_form([make_item(number) for number in (1, 2)])
    custom = data.get(CLAIM + "custom", {})
    said = {
        "user": data["sub"],
        "email": data.get("email"),
        "roles": data[CLAIM + "roles"],
        "context": data.get(CLAIM + "context", {}).get("id"),
        "link": data[CLAIM + "resource_link"]["id"],
        "custom": custom,
        "is_teacher": message.check_teacher_access(),
        "is_student": message.check_student_access(),
    }
    if message.is_submission_review_launch():
        said["for"] = message.get_submission_review_user()["user_id"]
    work = {"score": send_score, "column": use_column, "roster": read_roster, "groups": read_groups}
    wanted = filter(None, custom.get("do", "").split(","))
    points = float(custom.get("points", "0"))
    return jsonify({**said, "done": {name: work[name](message, data["sub"], points) for name in wanted}})


@app.errorhandler(Exception)
def refuse(error: Exception) -> Any:
    """What the library refuses."""
    return jsonify({"error": f"{type(error).__name__}: {error}"}), 403


def make_item(number: int) -> DeepLinkResource:
    """A graded link."""
    column = LineItem().set_score_maximum(20).set_label(f"Column {number}").set_resource_id(f"item-{number}")
    item = DeepLinkResource().set_url(f"{BASE}/launch").set_title(f"Chosen in pylti1p3 {number}")
    return item.set_custom_params({"do": "score", "points": str(number * 5)}).set_lineitem(column)


def make_grade(user_id: str, points: float) -> Grade:
    """A final score of 20, now."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    grade = Grade().set_score_given(points).set_score_maximum(20).set_timestamp(now).set_user_id(user_id)
    return grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")


def send_score(message: FlaskMessageLaunch, user_id: str, points: float) -> Any:
    """Into the column that the launch names."""
    service = message.get_ags()
    service.put_grade(make_grade(user_id, points))
    return {"results": list(service.get_grades())}


def use_column(message: FlaskMessageLaunch, user_id: str, points: float) -> Any:
    """A column of our own, found again by its tag, with a score in it."""
    service = message.get_ags()
    wanted = LineItem().set_tag("draft").set_score_maximum(20).set_label("Made by pylti1p3").set_resource_id("essay")
    made = service.find_or_create_lineitem(wanted)
    again = service.find_or_create_lineitem(wanted)
    return {"is_same": made.get_id() == again.get_id(), "label": service.get_lineitem(made.get_id()).get_label()}


def read_roster(message: FlaskMessageLaunch, user_id: str, points: float) -> Any:
    """Everybody, page after page."""
    return message.get_nrps().get_members()


def read_groups(message: FlaskMessageLaunch, user_id: str, points: float) -> Any:
    """Everybody's, then the own ones. Sets are left out: the library asks for them with the groups' media type."""
    service = message.get_cgs()
    return {"all": service.get_groups(), "own": service.get_groups(user_id)}


app.run("127.0.0.1", wish["port"], threaded=True)
