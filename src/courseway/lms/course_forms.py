"""The form of a course's LTI/LMS settings. Its rules are those of `courses.settings_change`, which also saves it."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Course
from courseway.courses.settings_change import HIGHEST_SIZE, LOWEST_SIZE, CourseSettingsError, set_course_settings


class CourseLtiForm(forms.Form):
    """While LTI is off only its switch is shown and read; the other values are kept as they are."""

    lti_enabled = forms.BooleanField(
        label=_("Enable LTI"),
        required=False,
        help_text=_("Links in your LMS open this course. While it is off, whoever clicks one is told so."),
    )
    lms_url = forms.CharField(
        label=_("Course LMS URL"),
        required=False,
        help_text=_("The address of this course in your LMS. Students are led there to start new work."),
        widget=forms.TextInput(
            attrs={"placeholder": "https://", "inputmode": "url", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    release_grades_automatically = forms.BooleanField(
        label=_("Release grades automatically"),
        required=False,
        help_text=_("A grade goes to the LMS as soon as the work is handed in. Switched on, it also releases now "
                    "what is completed and waits."),
    )  # fmt: skip
    iframe_width = forms.CharField(
        label=_("Iframe width"),
        help_text=_("In pixels, for an LMS that shows the tool in a frame and asks for its size."),
        widget=forms.NumberInput(attrs={"min": LOWEST_SIZE, "max": HIGHEST_SIZE}),
    )
    iframe_height = forms.CharField(
        label=_("Iframe height"),
        help_text=_("In pixels, for the same frame."),
        widget=forms.NumberInput(attrs={"min": LOWEST_SIZE, "max": HIGHEST_SIZE}),
    )

    def __init__(self, data: QueryDict | None = None, *, course: Course) -> None:
        super().__init__(data, initial={name: getattr(course, name) for name in self.base_fields})
        self.course = course
        # A page that showed only the switch sends only the switch, whatever happened in another tab meanwhile.
        self.is_complete = "lms_url" in self.data if self.is_bound else course.lti_enabled
        if not self.is_complete:
            for name in set(self.fields) - {"lti_enabled"}:
                del self.fields[name]

    def save(self) -> frozenset[str] | None:
        """The names of what changed; None, with the errors at their fields, if it cannot be so."""
        try:
            return set_course_settings(self.course, self.cleaned_data)
        except CourseSettingsError as error:
            for problem in error.problems:
                self.add_error(problem.name if problem.name in self.fields else None, capfirst(problem.message) + ".")
            return None
