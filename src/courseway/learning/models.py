"""People at work: a submission is a person's work on an assignment, an attempt one go at it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from courseway.courses.models import Assignment
from courseway.orgs.ids import new_id
from courseway.orgs.models import Person

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Submission(models.Model):
    """A person's work on an assignment. Exists once work began."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="submissions")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="submissions")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    started_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True)  # the last handing in
    completed_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    # Points of the last attempt that was handed in; null until something was graded.
    score = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    # A teacher's own grade, which wins over the score. Percent of the assignment's points.
    override_percent = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    comment = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    attempts: RelatedManager[Attempt]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assignment", "person"], name="one_submission_per_person")]
        indexes = [models.Index(fields=["person"], name="submission_by_person")]

    def __str__(self) -> str:
        return f"{self.person} · {self.assignment}"

    def final_score(self, maximum: Decimal) -> Decimal | None:
        """Points that count, of `maximum`; never above it, since LTI allows no more than 100 % (H1)."""
        if self.override_percent is not None:
            return min(self.override_percent, Decimal(100)) * maximum / 100
        return None if self.score is None else min(self.score, maximum)


class Attempt(models.Model):
    """One go: the answers as typed, and once handed in the result of each question."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)  # question key -> text as typed
    results = models.JSONField(default=dict)  # question key -> {"points": "1.5", "correct": true}
    score = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["submission", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"{self.submission} · {self.number}"
