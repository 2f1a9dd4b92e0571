"""An access token for work in which a minute more or less does not count: rosters, groups, a look at columns.

Deliveries, of which there are many, share theirs (`grades/tokens.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from courseway import outbound
from courseway.lms.models import Platform
from courseway.lms.tool_keys import signing_key
from courseway.orgs.ids import new_id
from ltikit.errors import ServiceForbiddenError
from ltikit.v13.token import parse_token_response, token_request

DEADLINE_SECONDS = 20.0


def ask_for_token(platform: Platform, scopes: Sequence[str], *, now: datetime) -> str:
    """A new token of the platform that is good for all of `scopes`.

    Raises ServiceError, OutboundError, or SecretUnreadableError when our own key cannot be read.
    """
    registration = platform.registered_as
    request = token_request(
        token_url=registration.token_url,
        audience=registration.audience or registration.token_url,
        client_id=registration.client_id,
        scopes=list(scopes),
        key=signing_key(),
        now=now,
        jti=new_id(),
    )
    response = outbound.send(request, deadline_seconds=DEADLINE_SECONDS)
    token = parse_token_response(response, requested=list(scopes), now=now)
    if not token.is_good_for(list(scopes)):
        raise ServiceForbiddenError("the token was granted without the scope that is needed")
    return token.value
