from django.apps import AppConfig


class LmsConfig(AppConfig):
    name = "courseway.lms"
    label = "lms"
