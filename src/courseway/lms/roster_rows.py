"""Who the LMS says is in a context: when its list was read, and how the context is divided. Part of `models.py`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from courseway.orgs.ids import new_id
from courseway.orgs.models import Person


class ContextRoster(models.Model):
    """The roster of a context as it was last read, and the wish to read it again (`leases.py`)."""

    context = models.OneToOneField("lms.Context", on_delete=models.CASCADE, related_name="roster")
    # The newest occasion to read it: a teacher's launch, a teacher's click.
    wanted_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)
    tries = models.PositiveIntegerField(default=0)  # since it was last read whole
    # The LMS is left in peace until then: the longer a reading took, the longer.
    rest_until = models.DateTimeField(null=True)
    # The reading under way, and after it the last one.
    began_at = models.DateTimeField(null=True)
    pages_read = models.PositiveIntegerField(default=0)
    members_read = models.PositiveIntegerField(default=0)
    # The last whole list, and how many it made active and inactive.
    read_at = models.DateTimeField(null=True)
    members = models.PositiveIntegerField(default=0)
    came = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)
    # Where the LMS lists what changed since then (NRPS 2.0 §2.4.2), and since when only changes were read.
    differences_url = models.URLField(max_length=2000, blank=True)
    whole_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_words = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="roster_due"),
        ]

    def __str__(self) -> str:
        return f"roster of {self.context}"

    @property
    def is_under_way(self) -> bool:
        return self.lease_token != ""


class RosterCursor(models.Model):
    """How far the launch log has been looked through for teachers' launches. One row."""

    last_launch = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"launch {self.last_launch}"


class Section(models.Model):
    """A part of a context as the LMS divides it: a section, or a group of its groups service."""

    class Kind(models.TextChoices):
        SECTION = "section", _("section")
        GROUP = "group", _("group")

    context = models.ForeignKey("lms.Context", on_delete=models.CASCADE, related_name="sections")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    lms_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    set_name = models.CharField(max_length=255, blank=True)  # of the set of groups that it belongs to
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["context", "kind", "lms_id"], name="section_once")]

    def __str__(self) -> str:
        return f"{self.set_name} · {self.name}" if self.set_name else self.name


class LmsDueDate(models.Model):
    """When the LMS says that the work of a link is due: for everybody, or for one person (`due_dates.py`).

    A null `due_at` means that the LMS says that there is no date. `counted` is whether it counted when grades were
    last weighed by it; null: they still have to be.
    """

    resource_link = models.ForeignKey("lms.ResourceLink", on_delete=models.CASCADE, related_name="due_dates")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="lms_due_dates")
    due_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=60)  # the variable, or "line item"
    stated_at = models.DateTimeField(default=timezone.now)
    counted = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_link", "person"], name="lms_due_date_once_per_person"),
            models.UniqueConstraint(
                fields=["resource_link"], condition=models.Q(person=None), name="lms_due_date_once_per_link"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_link} · {self.due_at}"


class SectionMember(models.Model):
    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="section_members")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="section_memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["section", "person"], name="section_member_once")]

    def __str__(self) -> str:
        return f"{self.person} in {self.section}"


def roster_place(deployment_pk: int, context_id: str) -> str:
    """The place that what a roster is asked by is locked to (`secrets_box`)."""
    return f"context_roster:{deployment_pk}:{context_id}"
