from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "courseway.orgs"
    label = "orgs"
