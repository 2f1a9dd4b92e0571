"""A story of requests told to its end in this thread, for work that nobody else waits for."""

from __future__ import annotations

import time

from courseway import outbound
from courseway.grades.exchange import Ask, Result, Steps
from courseway.outbound import OutboundError
from ltikit.http import Response

REQUEST_SECONDS = 15.0


def run_errand(steps: Steps[Result], *, seconds: float) -> Result:
    """What the steps come to, request by request, each with what is left of the time. Raises what they raise."""
    until = time.monotonic() + seconds
    answer: Response | OutboundError | None = None
    while True:
        try:
            need = steps.throw(answer) if isinstance(answer, OutboundError) else steps.send(answer)  # type: ignore[arg-type]
        except StopIteration as end:
            result: Result = end.value
            return result
        answer = None
        if isinstance(need, Ask):
            left = max(1.0, min(REQUEST_SECONDS, until - time.monotonic()))
            try:
                answer = outbound.send(need.request, deadline_seconds=left, max_bytes=need.max_bytes)
            except OutboundError as error:
                answer = error
