"""A program of somebody else that listens to webhooks, and verifies each by the library of Standard Webhooks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

from courseway.events.endpoints import create_endpoint
from courseway.events.kinds import Kind
from courseway.events.letters import new_secret
from courseway.events.models import WebhookEndpoint
from courseway.orgs.models import Organization
from tests.courseway.http_servers import Handler, serve_http


@dataclass
class Received:
    path: str
    id: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answer` decides by path and by how many requests came to it before; None means a silence of `silent_seconds`."""

    url: str = ""
    secret: str = field(default_factory=new_secret)
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, bytes, dict[str, str]]] = lambda received: (204, b"", {})
    silent_seconds: dict[str, float] = field(default_factory=dict)
    is_over: threading.Event = field(default_factory=threading.Event)

    def verified(self, path: str = "/hook") -> list[Any]:
        """The events that arrived there and whose signatures hold, without tests of the endpoint."""
        webhook = Webhook(self.secret)
        contents = [webhook.verify(one.body, one.headers) for one in self.received if one.path == path]
        return [content for content in contents if content["type"] != "endpoint.test"]

    def endpoint(
        self, organization: Organization, now: datetime, *, path: str = "/hook", **more: Any
    ) -> WebhookEndpoint:
        chosen = {"kinds": Kind.values, "secret": self.secret, **more}
        return create_endpoint(organization, url=self.url + path, now=now, **chosen)


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Listen(Handler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.read_body()
            received = Received(self.path, headers.get("webhook-id", ""), headers, body, time.monotonic())
            receiver.received.append(received)
            silence = receiver.silent_seconds.get(self.path, 0.0)
            if silence and received.content["type"] != "endpoint.test":
                receiver.is_over.wait(silence)
            status, words, more = receiver.answer(received)
            self.answer(status, words, **more)

    with serve_http(Listen) as server:
        receiver.url = server.url
        try:
            yield receiver
        finally:
            receiver.is_over.set()
