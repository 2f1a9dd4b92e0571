"""Grades that were not owed while a course only enrolled, owed once its switch is off again (F4)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from courseway.courses.models import Assignment, Course
from courseway.grades.models import Delivery
from courseway.learning.attempts import BATCH, owe_grades
from courseway.learning.models import Submission


def owe_newest(course: Course, *, now: datetime) -> int:
    """Owe the newest grade of all work of the course; what the LMS holds already is not sent again.

    Returns how many deliveries wait now. Some hundred submissions in each transaction, in one order.
    """
    for assignment in Assignment.objects.filter(course=course).select_related("course").order_by("pk"):
        last = 0
        while True:
            with transaction.atomic():
                work = Submission.objects.select_for_update().filter(assignment=assignment, pk__gt=last)
                batch = list(work.order_by("pk")[:BATCH])
                owe_grades(assignment, batch, now)
            if len(batch) < BATCH:
                break
            last = batch[-1].pk
    return Delivery.objects.filter(assignment__course=course, state=Delivery.State.WAITING).count()
