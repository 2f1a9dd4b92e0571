from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment
from courseway.learning.marking import SCORE_STEP, parse_number
from courseway.learning.models import Submission


class PercentField(forms.CharField):
    """A percentage as people type it, with comma or point; empty means none."""

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value).removesuffix("%").strip()
        if not text:
            return None
        number = parse_number(text)
        if number is None or not 0 <= number <= 100:
            raise forms.ValidationError(_("Enter a percentage between 0 and 100, for example 87.5."))
        return number.quantize(SCORE_STEP)


class MomentField(forms.DateTimeField):
    """A date and time in the installation's zone, typed into the browser's own control."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], **kwargs)


class PointsField(forms.CharField):
    """Points of a question, from nothing to all of them; empty means that they are still to be given."""

    def __init__(self, *, most: Decimal, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(required=False, max_length=80, widget=widget, **kwargs)
        self.most = most

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        number = parse_number(text)
        if number is None or not 0 <= number <= self.most:
            raise forms.ValidationError(
                gettext("Enter points from 0 to %(most)s.") % {"most": format(self.most.normalize(), "f")}
            )
        return number.quantize(SCORE_STEP)


class PointsForm(forms.Form):
    """The points of the questions that a teacher grades, one field for each; `asked` are (key, label, most, given)."""

    def __init__(
        self, data: Any = None, *, asked: Iterable[tuple[str, str, Decimal, str]], number: int, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.number = number
        for key, label, most, given in asked:
            help_text = gettext("of %(most)s points") % {"most": format(most.normalize(), "f")}
            self.fields[key] = PointsField(most=most, label=label, initial=given, help_text=help_text)

    def add_prefix(self, field_name: str) -> str:
        return f"points-{field_name}"


class DatesForm(forms.ModelForm[Assignment]):
    """When an assignment is due, and what being late costs."""

    due_at = MomentField(label=_("Due date"), required=False)
    late_percent = PercentField(
        label=_("Late penalty in percent"),
        required=False,
        max_length=80,
        help_text=_("Taken off the grade for each day or hour begun. Empty: being late costs nothing."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    late_floor = PercentField(
        label=_("Not below, in percent"),
        required=False,
        max_length=80,
        help_text=_("The penalty takes no grade below this. A grade that is lower by itself stays as it is."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    class Meta:
        model = Assignment
        fields = ("due_at", "late_percent", "late_per", "late_floor")
        labels: ClassVar = {"late_per": _("For each")}

    def __init__(self, *args: Any, instance: Assignment, **kwargs: Any) -> None:
        initial = {
            name: format(value.normalize(), "f") if (value := getattr(instance, name)) else ""
            for name in ("late_percent", "late_floor")
        }
        super().__init__(*args, instance=instance, initial=initial, **kwargs)  # type: ignore[misc]
        self.fields["due_at"].help_text = say_zone()

    def clean_late_percent(self) -> Decimal:
        return (self.cleaned_data["late_percent"] or Decimal(0)).quantize(Decimal("0.01"))

    def clean_late_floor(self) -> Decimal:
        return (self.cleaned_data["late_floor"] or Decimal(0)).quantize(Decimal("0.01"))


class ExtensionForm(forms.Form):
    """A later due date of one student."""

    due_at = MomentField(label=_("Due date of this student"))

    def __init__(self, *args: Any, others_due_at: datetime | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others_due_at = others_due_at
        self.fields["due_at"].help_text = say_zone()

    def clean_due_at(self) -> datetime:
        due_at: datetime = self.cleaned_data["due_at"]
        if self.others_due_at is None or due_at <= self.others_due_at:
            raise forms.ValidationError(gettext("Choose a time after the due date of the others."))
        return due_at


def say_zone() -> str:
    """Which clock the browser's control means."""
    return gettext("Time zone: %(zone)s.") % {"zone": timezone.get_current_timezone_name()}


class GradeForm(forms.Form):
    """A teacher's own grade and words to the student."""

    percent = PercentField(
        label=_("Grade in percent"),
        required=False,
        max_length=80,
        help_text=_("It wins over the automatic grade. Leave it empty to count what the answers earned."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    comment = forms.CharField(
        label=_("Comment"),
        required=False,
        max_length=10_000,
        help_text=_("The student reads it with the grade."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    extra = PercentField(
        label=_("Extra credit in percent"),
        required=False,
        max_length=80,
        help_text=_("On top, and here only: it is never sent, since an LMS takes no more than 100 %."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def clean_extra(self) -> Decimal:
        return (self.cleaned_data["extra"] or Decimal(0)).quantize(Decimal("0.01"))

    @staticmethod
    def initial_of(submission: Submission | None) -> dict[str, str]:
        if submission is None:
            return {}
        percent = submission.override_percent
        return {
            "percent": "" if percent is None else format(percent.normalize(), "f"),
            "comment": submission.comment,
            "extra": format(submission.extra_percent.normalize(), "f") if submission.extra_percent else "",
        }
