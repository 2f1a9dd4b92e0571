from django.apps import AppConfig


class GradesConfig(AppConfig):
    name = "courseway.grades"
    label = "grades"
