from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "courseway.events"
    label = "events"
