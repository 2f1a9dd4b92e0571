"""When an assignment is due, for everybody and for one student, and what being late costs (H7)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from courseway.courses.access import get_assignment, get_course_to_edit
from courseway.learning.access import get_learner_to_grade
from courseway.learning.forms import DatesForm, ExtensionForm
from courseway.learning.lateness import Dues, set_extension, weigh_again
from courseway.learning.oversight_views import show_result


@require_http_methods(["GET", "POST"])
def dates(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """The due date and the penalty. Grades that follow from a change are worked out, and sent, at once."""
    access = get_course_to_edit(request, course_id)
    assignment = get_assignment(access, assignment_id)
    assignment.course = access.course
    form = DatesForm(request.POST or None, instance=assignment)
    if request.method == "POST" and form.is_valid():
        form.save()
        weigh_again(assignment, now=timezone.now())
        messages.success(request, _("Saved. Grades of late work were worked out anew."))
        return redirect("learning_course:results", course_id, assignment_id)
    context = {"access": access, "assignment": assignment, "form": form}
    return render(request, "learning/dates.html", context, status=422 if form.errors else 200)


@require_POST
def extension(request: HttpRequest, course_id: str, assignment_id: str, person_id: str) -> HttpResponse:
    """More time for one student, or no more than the others have."""
    access, assignment, learner = get_learner_to_grade(request, course_id, assignment_id, person_id)
    now = timezone.now()
    if "remove" in request.POST:
        set_extension(assignment, learner.person, None, now=now)
        messages.success(request, _("The due date is the same as for the others."))
        return redirect("learning_course:result", course_id, assignment_id, person_id)
    due = Dues([assignment], [learner.person_id]).of(assignment, learner.person_id)
    form = ExtensionForm(request.POST, others_due_at=due.others_at)
    if not form.is_valid():
        return show_result(request, access, assignment, learner, extension_form=form)
    set_extension(assignment, learner.person, form.cleaned_data["due_at"], now=now)
    messages.success(request, _("Saved: %(name)s has more time.") % {"name": learner.person.shown_name})
    return redirect("learning_course:result", course_id, assignment_id, person_id)
