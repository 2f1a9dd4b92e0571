from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "courseway.orgs"
    label = "orgs"

    def ready(self) -> None:
        # Registers the checks of our settings, for `courseway check` and for Django's own commands alike.
        import courseway.checks  # noqa: F401
