"""People at work: a submission is a person's work on an assignment, an attempt one go at it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from courseway.courses.models import Assignment
from courseway.learning.marking import SCORE_STEP, percent_of
from courseway.orgs.ids import new_id
from courseway.orgs.models import Person

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


@dataclass(frozen=True, slots=True)
class Standing:
    """What others are told of a submission when it changes."""

    completed_at: datetime | None
    percent: Decimal | None
    is_visible: bool  # to the student


def new_feedback_token() -> str:
    return secrets.token_urlsafe(24)


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
    # The assignment's points when the score was made: a percentage outlives a later change of the points.
    maximum = models.DecimalField(max_digits=9, decimal_places=2, null=True, blank=True)
    # A teacher's own grade, which wins over the score. Percent of the assignment's points.
    override_percent = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    # Percentage points that a teacher gives on top. They are shown here; no LMS takes more than 100 % (H7).
    extra_percent = models.DecimalField(max_digits=6, decimal_places=2, default=Decimal(0))
    # When the student handed in the attempt that counts; null where a due date or a teacher did it for them.
    handed_in_at = models.DateTimeField(null=True, blank=True)
    # Percentage points that the score lost by being late (`lateness`). A teacher's own grade loses nothing.
    late_deduction = models.DecimalField(max_digits=9, decimal_places=6, default=Decimal(0))
    # Whoever has it reads this one submission while the course provides feedback links (H6).
    feedback_token = models.CharField(max_length=32, unique=True, default=new_feedback_token, editable=False)
    comment = models.TextField(blank=True)
    # Handed in, and a question of it has to be graded by hand before there is a score.
    awaits_grading = models.BooleanField(default=False, db_default=False)
    # Reopened work is not completed again by a due date that has already passed.
    reopened_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    attempts: RelatedManager[Attempt]
    # How it stood when its row was locked; no column.
    before: Standing | None = None

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assignment", "person"], name="one_submission_per_person")]
        indexes = [
            models.Index(fields=["person"], name="submission_by_person"),
            # Two short lists that the worker reads again and again.
            models.Index(
                fields=["assignment"], condition=models.Q(completed_at__isnull=True), name="submission_in_progress"
            ),
            models.Index(
                fields=["assignment"],
                condition=models.Q(completed_at__isnull=False, released_at__isnull=True),
                name="submission_to_release",
            ),
            models.Index(fields=["assignment"], condition=models.Q(awaits_grading=True), name="submission_to_grade"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.assignment}"

    def final_percent(self) -> Decimal | None:
        """The grade that counts, in percent; never above 100, since LTI allows no more (H1)."""
        if self.override_percent is not None:
            return min(self.override_percent, Decimal(100))
        percent = percent_of(self.score, self.maximum)
        return None if percent is None else max(percent - self.late_deduction, Decimal(0))

    def final_score(self, maximum: Decimal) -> Decimal | None:
        """Points that count, of `maximum`."""
        if self.override_percent is None and self.maximum == maximum and not self.late_deduction:
            return None if self.score is None else min(self.score, maximum)
        percent = self.final_percent()
        return None if percent is None else (percent * maximum / 100).quantize(SCORE_STEP)

    @property
    def is_graded(self) -> bool:
        return self.override_percent is not None or self.score is not None

    @property
    def is_grade_visible(self) -> bool:
        """Whether the student may see the grade: released, and completed at least once (H2)."""
        is_completed = self.completed_at is not None or self.reopened_at is not None
        return self.released_at is not None and self.is_graded and is_completed


class Upload(models.Model):
    """A file that was handed in as the answer to a question, which holds its `public_id`. Never changed."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="uploads")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    name = models.CharField(max_length=255)  # as the student's machine calls it
    path = models.CharField(max_length=100)  # in the storage; holds nothing that a student typed
    size = models.PositiveBigIntegerField()
    uploaded_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Extension(models.Model):
    """More time for one student: counts while it is later than the assignment's due date."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="extensions")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="extensions")
    due_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assignment", "person"], name="one_extension_per_person")]

    def __str__(self) -> str:
        return f"{self.person} · {self.assignment} · {self.due_at}"


class Attempt(models.Model):
    """One go: the answers as typed, and once handed in the result of each question."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)  # question key -> text as typed
    # question key -> {"points": "1.5", "of": "2", "correct": true, "answered": true}, and for questions that a teacher
    # grades {…, "by_hand": true, "waits": true until they did}
    results = models.JSONField(default=dict)
    score = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    maximum = models.DecimalField(max_digits=9, decimal_places=2, null=True, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True)
    # Otherwise a due date or a teacher did it, and nobody was late.
    is_handed_in_by_student = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="attempt_number_once"),
            # At most one attempt is being worked on, whatever arrives at the same time.
            models.UniqueConstraint(
                fields=["submission"], condition=models.Q(submitted_at__isnull=True), name="one_open_attempt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} · {self.number}"
