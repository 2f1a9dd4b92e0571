"""Where LMSs send their notices (Platform Notification Service 1.0)."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from courseway.lms.notices import take_notice
from ltikit.errors import LtiError, MalformedMessageError
from ltikit.v13.notices import parse_notices

MAX_BODY = 1024 * 1024

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def take_notices(request: HttpRequest) -> HttpResponse:
    """Each notice is signed by itself: good ones are kept, whatever came with them. Nothing is acted on here."""
    now = timezone.now()
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
            raise MalformedMessageError("the message is too large")
        tokens = parse_notices(request.body)
    except LtiError as error:
        return _refuse(error)
    refusal: LtiError | None = None
    taken = 0
    for token in tokens:
        try:
            take_notice(token, now=now)
            taken += 1
        except LtiError as error:
            logger.warning("A notice was refused: %s", error.code)
            refusal = error
    return _refuse(refusal) if refusal is not None and not taken else JsonResponse({"taken": taken})


def _refuse(error: LtiError) -> HttpResponse:
    return JsonResponse({"error": error.code, "error_description": str(error.hint)}, status=error.status)
