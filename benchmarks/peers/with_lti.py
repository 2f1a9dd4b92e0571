"""A tool made with the library `lti` and Flask, with no database. Runs in an environment of its own.

The library leaves it to the application to remember nonces; they are in the memory of the one process.
"""

from __future__ import annotations

import json
import os
import string
import time

from flask import Flask, redirect, request, session
from lti.contrib.flask import FlaskToolProvider
from oauthlib.oauth1 import RequestValidator

TOLD = json.loads(os.environ["PEER"])
MAX_AGE_SECONDS = 300

application = Flask(__name__)
application.secret_key = TOLD["secret_key"]


class Validator(RequestValidator):
    """One key; a nonce is taken once."""

    enforce_ssl = False
    client_key_length = nonce_length = (1, 255)
    safe_characters = set(string.ascii_letters + string.digits + "-_.")
    dummy_client = "nobody"

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def validate_client_key(self, client_key, request):
        return client_key == TOLD["key"]

    def get_client_secret(self, client_key, request):
        return TOLD["secret"]

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        if abs(time.time() - int(timestamp)) > MAX_AGE_SECONDS or (timestamp, nonce) in self._seen:
            return False
        self._seen.add((timestamp, nonce))
        return True


validator = Validator()


@application.post("/launch11")
def launch():
    """A launch that the library found good leads to the page."""
    provider = FlaskToolProvider.from_flask_request(secret=TOLD["secret"], request=request)
    if not provider.is_valid_request(validator):
        return "", 403
    names = ("user_id", "resource_link_id", "lis_outcome_service_url", "lis_result_sourcedid")
    session["launch"] = {name: provider.launch_params[name] for name in names}
    return redirect("/at")


@application.get("/at")
def show():
    """The page on which a launch lands."""
    return f"<!doctype html><title>Exercise</title><p>{session['launch']['user_id']}</p>"


@application.get("/readyz")
def ready():
    """It answers."""
    return "ok"
