from django.apps import AppConfig


class LearningConfig(AppConfig):
    name = "courseway.learning"
    label = "learning"
