"""A tool made with PyLTI and Flask, with no database; it remembers no nonces. Runs in an environment of its own."""

from __future__ import annotations

import json
import os

from flask import Flask, redirect
from pylti.flask import lti as protect

TOLD = json.loads(os.environ["PEER"])

application = Flask(__name__)
application.secret_key = TOLD["secret_key"]
application.config["PYLTI_CONFIG"] = {"consumers": {TOLD["key"]: {"secret": TOLD["secret"]}}}


def refuse(exception=None):
    """What the library refuses."""
    return "", 403


@application.post("/launch11")
@protect(request="initial", error=refuse, app=application)
def launch(lti):
    """A launch that the library found good leads to the page."""
    return redirect("/at")


@application.get("/at")
@protect(request="session", error=refuse, app=application)
def show(lti):
    """The page on which a launch lands."""
    return f"<!doctype html><title>Exercise</title><p>{lti.user_id}</p>"


@application.get("/readyz")
def ready():
    """It answers."""
    return "ok"
