"""What we owe the LMS: one delivery for each person and link, and every try to make it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment
from courseway.lms.models import Context, Platform, ResourceLink
from courseway.orgs.models import Organization, Person
from ltikit.v13.ags import format_number

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Delivery(models.Model):
    """The newest grade that the LMS should hold for a person and a link.

    Newest wins: a later wish overwrites the wanted values and raises `wanted_version`. A result of sending is
    stored only under the lease that sent it, and counts as sent only while `wanted_version` is still the one sent.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        UNCHANGED = "unchanged", _("unchanged")
        FAILED = "failed", _("failed")
        NEEDS_TEACHER = "needs_teacher", _("needs a teacher")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="deliveries")
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="deliveries")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="deliveries")
    resource_link = models.ForeignKey(ResourceLink, on_delete=models.CASCADE, related_name="deliveries")
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=15, choices=State.choices, default=State.WAITING)

    # What the LMS should hold. A null score means: no grade (clear it).
    wanted_score = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    wanted_maximum = models.DecimalField(max_digits=14, decimal_places=6)
    wanted_comment = models.TextField(blank=True)
    wanted_progress = models.CharField(max_length=20, default="completed")  # started, submitted, completed
    wanted_started_at = models.DateTimeField(null=True)
    wanted_submitted_at = models.DateTimeField(null=True)
    wanted_version = models.PositiveIntegerField(default=1)
    wanted_at = models.DateTimeField(default=timezone.now)

    # What the last try carried: written by the claim, before anything leaves.
    tried_version = models.PositiveIntegerField(default=0)
    tried_score = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    tried_maximum = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    tried_comment = models.TextField(blank=True)

    # What the LMS took.
    sent_score = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    sent_maximum = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    sent_comment = models.TextField(blank=True)
    sent_version = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    # The last timestamp put on the wire for this person and link, whether or not an answer came (AGS 2.0 §3.4.3).
    last_timestamp_at = models.DateTimeField(null=True)
    # For LTI 1.1, which has no timestamps: no other value may leave before this, since a late one would overwrite it.
    quiet_until = models.DateTimeField(null=True)

    # The lease. A null next try means that nothing is to be done.
    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)
    # The LMS asked to be left alone until then (Retry-After).
    not_before_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)  # of the wanted version, counted when a try begins
    last_error_code = models.CharField(max_length=40, blank=True)
    last_error = models.TextField(blank=True)
    # What the LMS was seen to hold instead of what we sent (reconcile.py); `held_at` is null while nothing differs.
    held_score = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    held_maximum = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    held_at = models.DateTimeField(null=True)
    # A teacher said that the grade in the LMS stays: a newer one of ours is held back until they say otherwise.
    is_lms_grade_kept = models.BooleanField(default=False)
    # Teachers were told by mail that this value is stuck (failure_mail.py).
    told_version = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True)

    attempts_made: RelatedManager[DeliveryTry]

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["person", "resource_link"], name="one_delivery_per_link")]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="delivery_due"),
            models.Index(fields=["organization", "state"], name="delivery_by_state"),
            models.Index(fields=["assignment", "person"], name="delivery_of_assignment"),
            models.Index(
                fields=["assignment"],
                condition=models.Q(state__in=["failed", "needs_teacher"]),
                name="delivery_stuck",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.resource_link} · {self.state}"

    @staticmethod
    def _percent(score: Decimal | None, maximum: Decimal | None) -> Decimal | None:
        return None if score is None or not maximum else score / maximum * 100

    @property
    def wanted_percent(self) -> Decimal | None:
        return self._percent(self.wanted_score, self.wanted_maximum)

    @property
    def tried_percent(self) -> Decimal | None:
        return self._percent(self.tried_score, self.tried_maximum)

    @property
    def sent_percent(self) -> Decimal | None:
        return self._percent(self.sent_score, self.sent_maximum)

    @property
    def held_percent(self) -> Decimal | None:
        return self._percent(self.held_score, self.held_maximum)

    @property
    def held_words(self) -> str:
        """What the LMS holds, and what it had taken from us, for people."""
        if self.held_score is None or self.held_maximum is None:
            return gettext("The LMS holds no grade.")
        held = {"score": format_number(self.held_score), "maximum": format_number(self.held_maximum)}
        return gettext("The LMS holds %(score)s of %(maximum)s.") % held


class ResultCheck(models.Model):
    """Reading back what the LMS holds for a link: tonight, or at once because somebody asked."""

    resource_link = models.OneToOneField(ResourceLink, on_delete=models.CASCADE, related_name="result_check")
    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)
    asked_at = models.DateTimeField(null=True)  # by a person who waits for it; null once it was done
    tries = models.PositiveIntegerField(default=0)  # that failed, in a row
    last_person = models.PositiveBigIntegerField(default=0)  # LTI 1.1 asks person by person: how far it came
    # The last time that all was read, and what was found then.
    checked_at = models.DateTimeField(null=True)
    same = models.PositiveIntegerField(default=0)
    different = models.PositiveIntegerField(default=0)
    unseen = models.PositiveIntegerField(default=0)  # grades that the LMS took, but does not show
    last_error_code = models.CharField(max_length=40, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="result_check_due")
        ]

    def __str__(self) -> str:
        return f"results of {self.resource_link}"


class Circuit(models.Model):
    """A platform that all workers leave alone for a while: it gave no answers, or asked to slow down.

    When `open_until` has come, one worker takes it for a probe of one grade: an answer closes the circuit (the row
    goes), trouble opens it for twice as long.
    """

    platform = models.OneToOneField(Platform, on_delete=models.CASCADE, primary_key=True, related_name="circuit")
    opened_at = models.DateTimeField()
    open_until = models.DateTimeField()
    pauses = models.PositiveIntegerField(default=1)  # in a row
    code = models.CharField(max_length=40)
    words = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.platform} until {self.open_until}"


class LineItemSearch(models.Model):
    """Finding or making the gradebook column of a link: one process at a time, so that no second column is made.

    `gone_at`: the column that we knew vanished from the LMS, and another one was not found. A new one is made only
    after a teacher said yes (`may_create_at`), since deleting it may have been meant.
    """

    resource_link = models.OneToOneField(ResourceLink, on_delete=models.CASCADE, related_name="line_item_search")
    lease_token = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    may_create_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"line item of {self.resource_link}"


class DeliveryTry(models.Model):
    """One attempt to send, which a teacher can read."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts_made")
    at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField()
    score = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    code = models.CharField(max_length=40)  # "sent" or the code of the error
    platform_status = models.PositiveIntegerField(default=0)
    words = models.TextField(blank=True)  # the LMS's own
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "delivery tries"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.code} at {self.at}"


class ColumnCheck(models.Model):
    """Looking at the columns that this tool has in an LMS course: asked for by a teacher, done by a worker."""

    context = models.OneToOneField(Context, on_delete=models.CASCADE, related_name="column_check")
    asked_at = models.DateTimeField(null=True)  # null: nobody waits
    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)
    columns_read = models.PositiveIntegerField(default=0)  # of the look under way, for whoever waits
    checked_at = models.DateTimeField(null=True)
    last_error_code = models.CharField(max_length=40, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="column_check_due"
            ),
        ]

    def __str__(self) -> str:
        return f"columns of {self.context}"


class SeenColumn(models.Model):
    """A line item as the LMS listed it at the last look."""

    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="seen_columns")
    url = models.CharField(max_length=2000)
    label = models.CharField(max_length=255, blank=True)
    score_maximum = models.DecimalField(max_digits=14, decimal_places=6)
    resource_link_id = models.CharField(max_length=255, blank=True)
    resource_id = models.CharField(max_length=255, blank=True)
    tag = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return self.label or self.url


class AccessToken(models.Model):
    """A platform's token for one set of scopes, shared by all workers; the value is encrypted."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="access_tokens")
    scopes = models.CharField(max_length=500)
    value_encrypted = models.TextField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "scopes"], name="one_token_per_scopes")]

    def __str__(self) -> str:
        return f"{self.platform} until {self.expires_at}"
