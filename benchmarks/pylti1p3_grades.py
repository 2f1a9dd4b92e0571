"""Sends grades with pylti1p3, in its own environment, told by lines on its standard input as ltijs_grades.js is.

    .venv-peers/pylti1p3/bin/python benchmarks/pylti1p3_grades.py '{"urls": […]}'

As documented, the service is made anew for each message. Version 2.0.0 has no token then; pylti1p3next keeps tokens.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.grade import Grade
from pylti1p3.tool_config import ToolConfDict

try:
    from pylti1p3.contrib.flask import FlaskServiceConnector as ServiceConnector
except ImportError:  # version 2.0.0
    from pylti1p3.service_connector import ServiceConnector

wish = json.loads(sys.argv[1])
key = rsa.generate_private_key(65537, 2048)
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
config = ToolConfDict(
    {
        url: {
            "client_id": f"client-{number}",
            "auth_login_url": f"{url}/auth",
            "auth_token_url": f"{url}/token",
            "auth_audience": None,
            "key_set_url": f"{url}/keys",
            "key_set": None,
            "deployment_ids": ["1"],
        }
        for number, url in enumerate(wish["urls"])
    }
)
for one in wish["urls"]:
    config.set_private_key(one, private)


def make_service(platform: int, line_item: str) -> AssignmentsGradesService:
    """As `MessageLaunch.get_ags` makes it for Flask."""
    registration = config.find_registration_by_issuer(wish["urls"][platform])
    score = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
    return AssignmentsGradesService(ServiceConnector(registration), {"scope": [score], "lineitem": line_item})


def send(platform: int, line_item: str, user: str, score: float, maximum: float) -> None:
    """One score, now."""
    service = make_service(platform, line_item)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    grade = Grade().set_score_given(score).set_score_maximum(maximum).set_timestamp(now).set_user_id(user)
    service.put_grade(grade.set_activity_progress("Completed").set_grading_progress("FullyGraded"))


def send_all(at_once: int, grades: list[list[Any]]) -> None:
    """Through threads, as a web server would."""
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda one: send(*one), grades):
            pass


print("ready", flush=True)
for line in sys.stdin:
    send_all(**json.loads(line))
    print("done", flush=True)
