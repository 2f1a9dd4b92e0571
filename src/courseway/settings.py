"""All settings, from the environment only. docs/configuration.md lists every variable.

A wrong value does not stop the import of this file: `courseway check` names it (see checks.py).
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import dj_database_url
from environs import FileAwareEnv

env = FileAwareEnv(strip_whitespace=True)

# Variables whose value cannot be used, with the reason; something harmless stands in until checks.py has named them.
UNREADABLE: dict[str, str] = {}

BASE_DIR = Path(__file__).resolve().parent
DATA_DIR = Path(env.str("COURSEWAY_DATA_DIR", "./data")).resolve()


def _read_or_make_secret(path: Path) -> str:
    """The secret kept in the data folder, made once. The file is created exclusively, so two processes agree."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret)
    return secret


# Where people and platforms reach us. Every generated URL comes from here, never from a request's Host.
PUBLIC_URL = env.str("COURSEWAY_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
try:
    _public = urlsplit(PUBLIC_URL)
except ValueError as error:
    UNREADABLE["COURSEWAY_PUBLIC_URL"] = str(error)
    _public = urlsplit("http://127.0.0.1:8000")
PUBLIC_PATH = _public.path.rstrip("/")
PUBLIC_IS_HTTPS = _public.scheme == "https"

# A list, newest first: the first signs and encrypts, all verify and decrypt.
_given_keys: list[str] = env.list("COURSEWAY_SECRET_KEY", [])
SECRET_KEYS = [key for key in _given_keys if key] or [_read_or_make_secret(DATA_DIR / "secret_key")]
SECRET_KEY = SECRET_KEYS[0]
SECRET_KEY_FALLBACKS = SECRET_KEYS[1:]

DEBUG = False
ALLOWED_HOSTS = [_public.hostname or "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
# The scheme and host of a request are those of PUBLIC_URL; a forwarded header is never believed.
USE_X_FORWARDED_HOST = False

# Networks that outgoing requests may reach besides public ones (an LMS on premises, the demo's loopback).
ALLOWED_PRIVATE_NETWORKS: list[str] = env.list("COURSEWAY_ALLOWED_PRIVATE_NETWORKS", [])

DATABASE_URL = env.str("COURSEWAY_DATABASE_URL", f"sqlite:///{DATA_DIR / 'courseway.sqlite3'}")
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
    if not DATABASES["default"]["ENGINE"].endswith((".sqlite3", ".postgresql")):
        raise ValueError(f"{DATABASES['default']['ENGINE']} is not supported")
except ValueError as error:
    UNREADABLE["COURSEWAY_DATABASE_URL"] = str(error)
    DATABASES = {"default": {"ENGINE": "django.db.backends.dummy"}}
USES_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
DATABASE_POOLER = env.str("COURSEWAY_DATABASE_POOLER", "")
if DATABASE_POOLER not in ("", "transaction"):
    UNREADABLE["COURSEWAY_DATABASE_POOLER"] = "give 'transaction', or leave it out"
if USES_SQLITE:
    # IMMEDIATE: a writer waits its turn at the start instead of failing half-way with "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
elif DATABASES["default"]["ENGINE"].endswith(".postgresql"):
    DATABASES["default"]["ENGINE"] = "courseway.postgresql"
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
    # Planning a statement of many tables costs more than running it: PostgreSQL keeps the plans of those that come
    # again and again. A pooler that gives each transaction another connection may lose them.
    if DATABASE_POOLER != "transaction":
        _options: dict[str, object] = DATABASES["default"].setdefault("OPTIONS", {})
        _options.update({"server_side_binding": True, "prepare_threshold": 5})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "courseway.orgs",
    "courseway.events",
    "courseway.courses",
    "courseway.lms",
    "courseway.grades",
    "courseway.learning",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "django_htmx",
    "django_tasks",
    "csp",
]

MIDDLEWARE = [
    "courseway.lms.middleware.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "courseway.learning.arriving.ArrivingMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "courseway.urls"
WSGI_APPLICATION = "courseway.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.static", "django.templatetags.i18n"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "courseway.orgs.visitor.visitor_context",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Accounts: people who sign in here. People who come from an LMS are `orgs.Person` and need no account.
AUTH_USER_MODEL = "orgs.Account"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_ADAPTER = "courseway.orgs.sign_in.AccountAdapter"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGOUT_ON_GET = False

SESSION_COOKIE_NAME = "courseway"
SESSION_COOKIE_SECURE = PUBLIC_IS_HTTPS
SESSION_COOKIE_PATH = PUBLIC_PATH + "/"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = PUBLIC_IS_HTTPS
CSRF_COOKIE_PATH = PUBLIC_PATH + "/"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if PUBLIC_IS_HTTPS else 0
SECURE_CROSS_ORIGIN_OPENER_POLICY = None  # a launch in a new tab may talk to the LMS page that opened it

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# Files that students hand in: a folder that every web process reaches.
STORAGE_URL = env.str("COURSEWAY_STORAGE_URL", "")
STORAGE_DIR = DATA_DIR / "files"
if STORAGE_URL:
    _storage = urlsplit(STORAGE_URL)
    if _storage.scheme == "file" and not _storage.netloc and _storage.path.startswith("/"):
        STORAGE_DIR = Path(unquote(_storage.path))
    else:
        UNREADABLE["COURSEWAY_STORAGE_URL"] = "give a folder, such as file:///srv/courseway/files"

STATIC_URL = PUBLIC_PATH + "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# `courseway serve` collects the files first; until then they are served from where they lie.
_is_collected = (STATIC_ROOT / "staticfiles.json").exists()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": STORAGE_DIR}},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _is_collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _is_collected
WHITENOISE_AUTOREFRESH = False
# The path of PUBLIC_URL is the script name (wsgi.py), which WhiteNoise does not see.
WHITENOISE_STATIC_PREFIX = "/static/"

LANGUAGE_CODE = env.str("COURSEWAY_LANGUAGE", "en")
TIME_ZONE = env.str("COURSEWAY_TIME_ZONE", "UTC")
try:
    ZoneInfo(TIME_ZONE)
except (ValueError, LookupError, OSError) as error:
    UNREADABLE["COURSEWAY_TIME_ZONE"] = str(error)
    TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]

# Mail: unset, it is kept readable in the data folder, and `check` says so.
EMAIL_URL = env.str("COURSEWAY_EMAIL_URL", "")
DEFAULT_FROM_EMAIL = env.str("COURSEWAY_EMAIL_FROM", f"courseway@{_public.hostname or 'localhost'}")
try:
    _mail = env.dj_email_url("COURSEWAY_EMAIL_URL") if EMAIL_URL else {}
except ValueError as error:
    UNREADABLE["COURSEWAY_EMAIL_URL"] = str(error)
    _mail = {}
# All mail is written down first; the worker sends it through this one.
EMAIL_BACKEND = "courseway.events.mail.RowBackend"
EMAIL_TIMEOUT = 30
if _mail.get("EMAIL_BACKEND"):
    MAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST = _mail["EMAIL_HOST"]
    EMAIL_PORT = _mail["EMAIL_PORT"]
    EMAIL_HOST_USER = _mail["EMAIL_HOST_USER"]
    EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS = _mail["EMAIL_USE_TLS"]
    EMAIL_USE_SSL = _mail["EMAIL_USE_SSL"]
else:
    MAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "mail")

# Background work: the truth is in the outbox tables; the engine only carries hints, so it may lose every one.
TASKS_URL = env.str("COURSEWAY_TASKS_URL", "")
USES_CELERY = TASKS_URL.startswith(("amqp://", "amqps://", "redis://", "rediss://", "valkey://", "valkeys://"))
TASKS = {
    "default": {
        "BACKEND": "courseway.celery_engine.CeleryBackend"
        if USES_CELERY
        else "huey.contrib.djhuey.tasks_backend.HueyBackend"
    }
}
# The queue of huey is made by engine.py's make_queue, from TASKS_URL or from the database.
HUEY = {
    "huey_class": "courseway.engine.make_queue",
    "name": "courseway",
    "results": False,
    "immediate": False,
}


def _read_days(name: str, default: int, shortest: int) -> int:
    try:
        days = env.int(name, default)
    except ValueError as error:
        UNREADABLE[name] = str(error)
        return default
    if not shortest <= days <= LONGEST_DAYS:
        UNREADABLE[name] = f"{days} is not from {shortest} to {LONGEST_DAYS}"
        return default
    return days


# How long logs are kept (retention.py). The launch log guards against replays, so it is kept longer than any message of
# an LMS is valid: a day and what clocks may differ.
SHORTEST_LAUNCH_LOG_DAYS = 7
LONGEST_DAYS = 36_500
LAUNCH_LOG_DAYS = _read_days("COURSEWAY_LAUNCH_LOG_DAYS", 400, SHORTEST_LAUNCH_LOG_DAYS)
DELIVERY_LOG_DAYS = _read_days("COURSEWAY_DELIVERY_LOG_DAYS", 400, 1)

# Whoever sends it reads /metrics; without one, only requests from this machine do.
METRICS_TOKEN = env.str("COURSEWAY_METRICS_TOKEN", "")

LOG_LEVEL = env.str("COURSEWAY_LOG_LEVEL", "WARNING").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    UNREADABLE["COURSEWAY_LOG_LEVEL"] = f"{LOG_LEVEL} is no level"
    LOG_LEVEL = "WARNING"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # A page that is refused or not there is no event for an operator, and surely no stack trace.
    "loggers": {"django.request": {"level": max(LOG_LEVEL, "ERROR", key=logging.getLevelNamesMapping().__getitem__)}},
}
