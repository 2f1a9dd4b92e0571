"""What happened, and who is told of it: events, webhook endpoints, and every try to deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization, Person

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


def new_event_id() -> str:
    return f"evt_{new_id()}"


class Event(models.Model):
    """One thing that happened, written in the transaction in which it happened.

    `data` holds ids, titles and figures, but neither names nor addresses of people: those are added, where an owner
    chose so, when a webhook is sent (`letters.py`), and so are the newest ones.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="events")
    public_id = models.CharField(max_length=32, unique=True, default=new_event_id, editable=False)
    kind = models.CharField(max_length=40)  # kinds.Kind, or kinds.TEST
    at = models.DateTimeField()
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="events")
    data = models.JSONField(default=dict)
    # Webhooks have still to be told. False from the start where the organization has none.
    is_waiting = models.BooleanField(default=False)

    deliveries: RelatedManager[WebhookDelivery]

    class Meta:
        indexes = [
            models.Index(fields=["organization", "id"], name="event_in_order"),
            models.Index(fields=["at"], name="event_by_time"),
            models.Index(fields=["id"], condition=models.Q(is_waiting=True), name="event_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class WebhookEndpoint(models.Model):
    """An address of an organization's own that is told of events, signed with a secret that both sides know.

    The endpoint itself is leased while its deliveries are sent, so that one process at a time sends to it, in order.
    """

    class Reason(models.TextChoices):
        OWNER = "owner", _("switched off by an owner")
        GONE = "gone", _("it answered 410 Gone: it does not want any more events")
        FAILING = "failing", _("nothing arrived there for days")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="webhook_endpoints")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    url = models.CharField(_("Address"), max_length=2000)
    kinds = models.JSONField(default=list)
    shares_people = models.BooleanField(default=False)
    secret_encrypted = models.TextField()
    # After a rotation both sign for a while, so that the receiver can change its own secret in between.
    old_secret_encrypted = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(null=True)
    rotated_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=10, choices=Reason.choices, blank=True)

    # The lease; also when the endpoint may be asked next, after failures.
    next_try_at = models.DateTimeField(default=timezone.now)
    lease_token = models.CharField(max_length=32, blank=True)
    failures_in_row = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)

    deliveries: RelatedManager[WebhookDelivery]

    class Meta:
        indexes = [models.Index(fields=["organization", "disabled_at"], name="endpoint_by_organization")]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """An event that an endpoint is to be told of."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)
    tries = models.PositiveIntegerField(default=0)  # since it was last asked for, counted when a try begins
    last_status = models.PositiveIntegerField(default=0)
    last_words = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    tries_made: RelatedManager[WebhookTry]

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="one_delivery_per_endpoint")]
        indexes = [
            models.Index(
                fields=["endpoint", "next_try_at"],
                condition=models.Q(next_try_at__isnull=False),
                name="webhook_delivery_due",
            ),
            models.Index(fields=["endpoint", "state", "id"], name="webhook_delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event} · {self.endpoint} · {self.state}"


class WebhookTry(models.Model):
    """One attempt to tell an endpoint of an event, for an owner to read."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tries_made")
    at = models.DateTimeField(default=timezone.now)
    status = models.PositiveIntegerField(default=0)  # 0: there was no answer
    words = models.TextField(blank=True)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "webhook tries"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.status} at {self.at}"


class ClearingRound(models.Model):
    """When what is not needed any more is deleted next (`courseway.retention`). One row, leased by one worker."""

    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)

    def __str__(self) -> str:
        return f"round of {self.next_try_at}"


class Mail(models.Model):
    """A mail to be sent. The content is encrypted, since mails carry codes and links, and is gone once it was sent."""

    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    content_encrypted = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField(null=True, default=timezone.now)
    lease_token = models.CharField(max_length=32, blank=True)
    tries = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="mail_due")]

    def __str__(self) -> str:
        return f"mail of {self.created_at}"
