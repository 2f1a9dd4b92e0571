"""Forms of a course: import, title."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courseway.courses.importing import read_course_bytes, read_course_zip
from courseway.courses.models import Course
from courseway.courses.text_format import CourseFormatError, ParsedCourse, Problem, parse_course
from courseway.courses.text_sources import SourceError, ZipSource
from courseway.courses.yaml_tree import MAX_BYTES
from courseway.orgs.models import Organization

MAX_UPLOAD = 20_000_000
ZIP_START = b"PK"


class ImportForm(forms.Form):
    """A course as a file or as typed text. `problems` lists the mistakes in it, `parsed` is the course."""

    organization = forms.ModelChoiceField(
        label=gettext_lazy("Organization"), queryset=Organization.objects.none(), to_field_name="slug", empty_label=None
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy("A YAML file, or a zip of a folder with a course.yaml and its pages."),
        widget=forms.FileInput(attrs={"accept": ".yaml,.yml,.zip"}),
    )
    text = forms.CharField(
        label=gettext_lazy("or the text itself"),
        required=False,
        strip=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea(attrs={"rows": 16, "class": "code", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, organizations: QuerySet[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.problems: tuple[Problem, ...] = ()
        self.parsed: ParsedCourse | None = None
        field = self.fields["organization"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        field.queryset = organizations

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        file, text = cleaned.get("file"), cleaned.get("text") or ""
        if file is None and not text.strip():
            if not self.errors:
                self.add_error("file", _("Choose a file, or paste the text of a course below."))
            return cleaned
        try:
            self.parsed = self._read_file(file) if file is not None else parse_course(text)
        except CourseFormatError as error:
            self.problems = error.problems
            self.add_error("text" if file is None else "file", _("No course was made yet: there are mistakes in it."))
        return cleaned

    def _read_file(self, file: UploadedFile[Any]) -> ParsedCourse:
        if (file.size or 0) > MAX_UPLOAD:
            limit = {"limit": MAX_UPLOAD // 1_000_000}
            raise CourseFormatError([Problem("", _("The file is larger than %(limit)s MB.") % limit)])
        start = file.read(len(ZIP_START))
        file.seek(0)
        if start == ZIP_START:
            try:
                return read_course_zip(ZipSource(file))
            except SourceError as error:
                raise CourseFormatError([Problem("", str(error))]) from error
        content = file.read(MAX_BYTES + 1)
        self._keep_text(content)
        return read_course_bytes(content)

    def _keep_text(self, content: bytes) -> None:
        """A browser forgets a chosen file, so its text is shown again to be mended in place."""
        if isinstance(self.data, QueryDict) and len(content) <= MAX_BYTES:
            self.data = self.data.copy()
            self.data["text"] = content.decode("utf-8-sig", "replace")


class CourseForm(forms.ModelForm[Course]):
    class Meta:
        model = Course
        fields = ["title", "published"]
        labels = {"published": gettext_lazy("Published")}
        help_texts = {
            "published": gettext_lazy("Students see the course. While it is not published, only its teachers do.")
        }
