"""A tool made with PyLTI1p3 and Flask, as its documentation shows, with no database. Runs in an environment of its own.

What it keeps of a launch, and the platform's keyset, are in the memory of the one process: the fastest that it has.
"""

from __future__ import annotations

import json
import os

from flask import Flask, redirect
from flask_caching import Cache
from pylti1p3.contrib.flask import FlaskCacheDataStorage, FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.tool_config import ToolConfDict

TOLD = json.loads(os.environ["PEER"])
PLATFORM = TOLD["platform"]
KEYSET_SECONDS = 7200

application = Flask(__name__)
application.secret_key = TOLD["secret_key"]
cache = Cache(application, config={"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 1_000_000})
tool = ToolConfDict(
    {
        PLATFORM["issuer"]: {
            "client_id": PLATFORM["client_id"],
            "auth_login_url": PLATFORM["auth_url"],
            "auth_token_url": PLATFORM["token_url"],
            "key_set_url": PLATFORM["keyset_url"],
            "key_set": None,
            "deployment_ids": [TOLD["deployment"]],
        }
    }
)


@application.get("/login")
def login():
    """The login request."""
    storage = FlaskCacheDataStorage(cache)
    return FlaskOIDCLogin(FlaskRequest(), tool, launch_data_storage=storage).redirect(f"{TOLD['base']}/launch")


@application.post("/launch")
def launch():
    """A launch that the library found good leads to the page."""
    storage = FlaskCacheDataStorage(cache)
    message = FlaskMessageLaunch(FlaskRequest(), tool, launch_data_storage=storage)
    message.set_public_key_caching(storage, cache_lifetime=KEYSET_SECONDS)
    message.get_launch_data()
    return redirect(f"/at/{message.get_launch_id()}")


@application.get("/at/<launch_id>")
def show(launch_id: str):
    """The page on which a launch lands."""
    storage = FlaskCacheDataStorage(cache)
    message = FlaskMessageLaunch.from_cache(launch_id, FlaskRequest(), tool, launch_data_storage=storage)
    return f"<!doctype html><title>Exercise</title><p>{message.get_launch_data()['sub']}</p>"


@application.get("/readyz")
def ready():
    """It answers."""
    return "ok"
