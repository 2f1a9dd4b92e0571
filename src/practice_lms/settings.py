"""Settings of the practice LMS, a Django project without a Django database; from PRACTICE_LMS_* variables only."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from practice_lms.database import database
from practice_lms.installation import need_setting, prepare_installation

with database().transaction() as _db:
    prepare_installation(_db, os.environ.get("PRACTICE_LMS_PUBLIC_URL", ""))
    SECRET_KEY = need_setting(_db, "secret")
    PRACTICE_PUBLIC_URL = need_setting(_db, "public_url")

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", urlsplit(PRACTICE_PUBLIC_URL).hostname or "localhost"]
ROOT_URLCONF = "practice_lms.urls"
INSTALLED_APPS: list[str] = []
MIDDLEWARE = [
    "practice_lms.middleware.check_host",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "practice_lms.middleware.show_refusals",
]
X_FRAME_OPTIONS = "SAMEORIGIN"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {
            "context_processors": ["practice_lms.visitors.describe_visitor"],
            "builtins": ["practice_lms.template_filters"],
        },
    }
]
# A tool's page may send the browser back here inside a frame; cookies do not tell ports apart, so they need own names.
CSRF_COOKIE_NAME = "practice_csrf"
APPEND_SLASH = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"terminal": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {"django": {"handlers": ["terminal"], "level": "ERROR", "propagate": False}},
}
USE_TZ = True
USE_I18N = False
TIME_ZONE = "UTC"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
