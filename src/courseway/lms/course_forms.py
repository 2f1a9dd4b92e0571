"""The form of a course's LTI/LMS settings. Its rules are those of `courses.settings_change`, which also saves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courseway.courses.models import Course
from courseway.courses.settings_change import (
    HIGHEST_SIZE,
    LOWEST_SIZE,
    CourseSettingsError,
    check_course_settings,
    set_course_settings,
)
from courseway.lms.settings_questions import Question

# What is shown, and read, while LTI is off; the other values are kept as they are (D1).
SHOWN_WHILE_OFF: Final = {"lti_enabled", "provide_feedback_link"}


def _switch(label: Any, help_text: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=help_text, required=False)


def _size(label: Any, help_text: Any) -> forms.CharField:
    widget = forms.NumberInput(attrs={"min": LOWEST_SIZE, "max": HIGHEST_SIZE})
    return forms.CharField(label=label, help_text=help_text, widget=widget)


class CourseLtiForm(forms.Form):
    """Each setting with one line about what it does. `confirmed` holds the codes of questions answered with yes."""

    lti_enabled = _switch(
        gettext_lazy("Enable LTI"),
        gettext_lazy("Links in your LMS open this course. While it is off, whoever clicks one is told so."),
    )
    lms_url = forms.CharField(
        label=gettext_lazy("Course LMS URL"),
        required=False,
        help_text=gettext_lazy("The address of this course in your LMS. Students are led there to start new work."),
        widget=forms.TextInput(
            attrs={"placeholder": "https://", "inputmode": "url", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    constant_urls = _switch(
        gettext_lazy("Enable LTI constant URLs"),
        gettext_lazy(
            "URLs of assignments carry no course: the launch says which course it means, so that an LMS course can be "
            "copied without touching its links. Links made before keep working."
        ),
    )
    course_copy = _switch(
        gettext_lazy("Enable LTI course copy"),
        gettext_lazy(
            "The first launch from each copied LMS course makes a course of its own with all modules and assignments "
            "of this one, without people and work. Needs constant URLs."
        ),
    )
    hide_not_started = _switch(
        gettext_lazy("Hide not started assignments"),
        gettext_lazy(
            "Students' dashboards show only the work that they began. They may not realise that there is more to do: "
            "it waits in your LMS."
        ),
    )
    filter_learners_for_mentors = _switch(
        gettext_lazy("Filter learners for mentors"),
        gettext_lazy(
            "Mentors see only the students that their launch names (mentor_for); if it names nobody, they see nobody. "
            "Off: they see all students of the course, read only."
        ),
    )
    iframe_width = _size(
        gettext_lazy("Iframe width"),
        gettext_lazy("In pixels, for an LMS that shows the tool in a frame and asks for its size."),
    )
    iframe_height = _size(gettext_lazy("Iframe height"), gettext_lazy("In pixels, for the same frame."))
    open_in_frame = _switch(
        gettext_lazy("Open links in a frame"),
        gettext_lazy(
            "Links that teachers choose in the LMS from now on ask for a frame of this size. Off: for a new tab, which "
            "works in every browser."
        ),
    )
    enroll_only = _switch(
        gettext_lazy("Enroll to course only"),
        gettext_lazy(
            "One link enrolls students and opens their dashboard, where they start all work. No grade of this course "
            "goes to an LMS while it is on; webhooks of the organization can take grades elsewhere."
        ),
    )
    provide_feedback_link = _switch(
        gettext_lazy("Provide feedback link"),
        gettext_lazy(
            "Grades carry a link to the student's work and its grading that opens without signing in, for whoever has "
            "it. Off: only the student and teachers can open it."
        ),
    )
    release_grades_automatically = _switch(
        gettext_lazy("Release grades automatically"),
        gettext_lazy(
            "A grade goes to the LMS as soon as the work is handed in. Switched on, it also releases now what is "
            "completed and waits."
        ),
    )
    ignore_lms_due_dates = _switch(
        gettext_lazy("Ignore due dates of the LMS"),
        gettext_lazy("Only due dates set here count. Off: a due date that the LMS sends with a launch counts."),
    )
    confirmed = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None, *, course: Course) -> None:
        names = [name for name in self.base_fields if name != "confirmed"]
        super().__init__(data, initial={name: getattr(course, name) for name in names})
        self.course = course
        self.wished: dict[str, Any] = {}
        self.is_proposed = False
        # A page that showed only some sends only those, whatever happened in another tab meanwhile.
        self.is_complete = "lms_url" in self.data if self.is_bound else course.lti_enabled
        if not self.is_complete:
            for name in set(names) - SHOWN_WHILE_OFF:
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.wished = check_course_settings(self.course, self._changes(cleaned))
            except CourseSettingsError as error:
                self._add_problems(error)
        return cleaned

    def propose(self, url: str, proposals: Iterable[str]) -> None:
        """Puts an address that launches suggest into the empty field; it counts once it is saved."""
        if url in proposals and not self.course.lms_url and "lms_url" in self.fields:
            self.initial["lms_url"] = url
            self.is_proposed = True

    def list_unconfirmed(self, questions: Iterable[Question]) -> list[Question]:
        said_yes = set(self.cleaned_data["confirmed"].split())
        return [question for question in questions if question.code not in said_yes]

    def ask(self, questions: Iterable[Question]) -> None:
        """The form shown again will take the next save as a yes to these; all that was typed is kept."""
        typed = {name: self.data[name] for name in self.data}
        self.data = {**typed, "confirmed": " ".join(question.code for question in questions)}

    def save(self) -> frozenset[str] | None:
        """The names of what changed; None, with the errors at their fields, if it cannot be so."""
        try:
            return set_course_settings(self.course, self._changes(self.cleaned_data))
        except CourseSettingsError as error:
            self._add_problems(error)
            return None

    def _changes(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in cleaned.items() if name != "confirmed"}

    def _add_problems(self, error: CourseSettingsError) -> None:
        for problem in error.problems:
            # The settings' own names are for scripts; here the switches have names of their own.
            text = problem.message.replace("constant_urls", _("LTI constant URLs"))
            self.add_error(problem.name if problem.name in self.fields else None, capfirst(text) + ".")
