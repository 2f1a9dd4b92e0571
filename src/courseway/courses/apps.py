from django.apps import AppConfig


class CoursesConfig(AppConfig):
    name = "courseway.courses"
    label = "courses"
