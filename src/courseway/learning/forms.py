from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

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

    @staticmethod
    def initial_of(submission: Submission | None) -> dict[str, str]:
        if submission is None:
            return {}
        percent = submission.override_percent
        return {
            "percent": "" if percent is None else format(percent.normalize(), "f"),
            "comment": submission.comment,
        }
