"""What is taught and who is in it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization, Person

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Role(models.TextChoices):
    """What a person is in a course; the same words as ltikit's roles."""

    TEACHER = "teacher", _("teacher")
    MENTOR = "mentor", _("mentor")
    STUDENT = "student", _("student")


class Course(models.Model):
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="courses")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    title = models.CharField(_("title"), max_length=255)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    published = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    # The LTI/LMS settings. All off in a new course.
    lti_enabled = models.BooleanField(_("Enable LTI"), default=False)
    lms_url = models.URLField(_("Course LMS URL"), max_length=2000, blank=True)
    constant_urls = models.BooleanField(_("Enable LTI constant URLs"), default=False)
    course_copy = models.BooleanField(_("Enable LTI course copy"), default=False)
    hide_not_started = models.BooleanField(_("Hide not started assignments"), default=False)
    filter_learners_for_mentors = models.BooleanField(_("Filter learners for mentors"), default=False)
    enroll_only = models.BooleanField(_("Enroll to course only"), default=False)
    provide_feedback_link = models.BooleanField(_("Provide feedback link"), default=False)
    release_grades_automatically = models.BooleanField(_("Release grades automatically"), default=False)
    iframe_width = models.PositiveIntegerField(
        _("Iframe width"), default=1000, validators=[MinValueValidator(200), MaxValueValidator(10000)]
    )
    iframe_height = models.PositiveIntegerField(
        _("Iframe height"), default=800, validators=[MinValueValidator(200), MaxValueValidator(10000)]
    )

    ignore_lms_due_dates = models.BooleanField(_("Ignore due dates of the LMS"), default=False, db_default=False)
    open_in_frame = models.BooleanField(_("Open links in a frame"), default=False, db_default=False)

    modules: RelatedManager[Module]
    assignments: RelatedManager[Assignment]
    enrollments: RelatedManager[Enrollment]

    class Meta:
        indexes = [models.Index(fields=["organization", "title"], name="course_by_title")]

    def __str__(self) -> str:
        return self.title


class Module(models.Model):
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="modules")
    title = models.CharField(max_length=255)
    position = models.PositiveIntegerField(default=0)

    assignments: RelatedManager[Assignment]

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title


class LatePer(models.TextChoices):
    DAY = "day", _("day")
    HOUR = "hour", _("hour")


class Assignment(models.Model):
    """A piece of work with points. `content_id` stays the same in copies of the course; `public_id` does not."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="assignments")
    module = models.ForeignKey(Module, on_delete=models.CASCADE, related_name="assignments")
    public_id = models.CharField(max_length=20, unique=True, default=new_id, editable=False)
    content_id = models.CharField(max_length=20, default=new_id, editable=False, db_index=True)
    # Another one whenever a page or a question changes: content that was read under this mark is still the same.
    content_mark = models.CharField(max_length=20, default=new_id, db_default="", editable=False)
    key = models.SlugField(max_length=100)
    title = models.CharField(_("title"), max_length=255)
    points = models.DecimalField(
        max_digits=9, decimal_places=2, default=Decimal(100), validators=[MinValueValidator(Decimal("0.01"))]
    )
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=1, help_text=_("0 means unlimited; the last attempt counts"))
    # What handing in late costs: percentage points for each day or hour begun, down to a floor (H7). 0: nothing.
    late_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    late_per = models.CharField(max_length=4, choices=LatePer.choices, default=LatePer.DAY)
    late_floor = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    published = models.BooleanField(default=True)
    # Deleted assignments keep their row: their ids live on in somebody's LMS and must get an answer.
    deleted_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)

    pages: RelatedManager[Page]

    class Meta:
        ordering = ["module__position", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["course", "key"], name="assignment_key_once_per_course"),
            models.UniqueConstraint(fields=["course", "content_id"], name="content_once_per_course"),
        ]

    def __str__(self) -> str:
        return self.title


class Page(models.Model):
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="pages")
    key = models.SlugField(max_length=100)
    title = models.CharField(max_length=255)
    text = models.TextField(blank=True)  # Markdown
    position = models.PositiveIntegerField(default=0)

    questions: RelatedManager[Question]

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["assignment", "key"], name="page_key_once_per_assignment")]

    def __str__(self) -> str:
        return self.title


class Question(models.Model):
    """One question, graded by itself or, where a file is handed in, by a teacher.

    `body` by kind: choice {"options": [text…], "answer": text}; choices {"options": […], "answers": [all that are
    right]}; number {"answer": "2.5", "tolerance": "0.01"} (decimals as text, so that no float noise decides about a
    point); text {"answers": [text…]}; ordering {"items": [in the right order]}; file {"file_types": ["pdf", …]}, any
    type where none is named.
    """

    class Kind(models.TextChoices):
        CHOICE = "choice", _("choice")
        CHOICES = "choices", _("several choice")
        NUMBER = "number", _("number")
        TEXT = "text", _("text")
        ORDERING = "ordering", _("ordering")
        FILE = "file", _("file")

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="questions")
    key = models.SlugField(max_length=100)  # unique within the assignment; the field's name on the page is q-<key>
    kind = models.CharField(max_length=10, choices=Kind.choices)
    text = models.TextField()  # Markdown
    body = models.JSONField(default=dict)
    points = models.DecimalField(max_digits=9, decimal_places=2, validators=[MinValueValidator(Decimal(0))])
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["page", "key"], name="question_key_once_per_page")]

    def __str__(self) -> str:
        return self.text[:60]


class Enrollment(models.Model):
    """A person in a course. The role is overwritten by each launch, never added up.

    `covers_whole_course`: a teacher over the whole course (made here, or from the course's first LMS context);
    otherwise rights reach only the people of the contexts in which the LMS says 'teacher' (C5).
    """

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrollments")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="enrollments")
    role = models.CharField(max_length=10, choices=Role.choices)
    active = models.BooleanField(default=True)
    covers_whole_course = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    # Null: the event of it is still to be recorded. So a launch has no further row to write (`announcing.py`).
    announced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["course", "person"], name="one_enrollment_per_person")]
        indexes = [
            models.Index(fields=["person", "active"], name="enrollment_by_person"),
            models.Index(fields=["id"], condition=models.Q(announced_at__isnull=True), name="enrollment_to_announce"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.role}"
