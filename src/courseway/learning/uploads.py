"""Files that students hand in: kept in the storage under names of ours, given out as attachments only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from courseway.learning.models import Submission, Upload
from courseway.orgs.ids import new_id

LARGEST: Final = 25 * 1024 * 1024
MOST_FILES: Final = 200  # of one submission, however often it is changed


class UploadError(Exception):
    """A file that is not taken; the text says why and what to do, and is shown as it is."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies in the storage and belongs to nobody yet."""

    path: str
    name: str
    size: int

    def discard(self) -> None:
        default_storage.delete(self.path)


def check_file(file: UploadedFile[Any], body: Mapping[str, Any]) -> None:
    """Raises UploadError for a file that this question does not take."""
    name, types = str(file.name or ""), [str(one) for one in body.get("file_types", ())]
    if types and not name.lower().endswith(tuple(f".{one}" for one in types)):
        words = {"name": name, "types": ", ".join(types)}
        raise UploadError(_("“%(name)s” was not taken: hand in a file of the type %(types)s.") % words)
    if not file.size:
        raise UploadError(_("“%(name)s” was not taken: it is empty.") % {"name": name})
    if file.size > LARGEST:
        words = {"name": name, "size": filesizeformat(file.size), "limit": filesizeformat(LARGEST)}
        raise UploadError(
            _("“%(name)s” was not taken: it has %(size)s, and at most %(limit)s can be handed in.") % words
        )


def store_file(file: UploadedFile[Any]) -> StoredFile:
    """Writes the file before any row is locked; `discard` it when it does not get an owner."""
    name = "".join(sign for sign in PurePath(str(file.name or "")).name if sign.isprintable())
    path = default_storage.save(f"uploads/{new_id()}", file)
    return StoredFile(path, name[-255:] or _("file"), file.size or 0)


def keep_file(submission: Submission, stored: StoredFile, now: datetime) -> Upload:
    """The file becomes part of the work. Earlier ones stay: an attempt that was handed in may hold them."""
    if submission.uploads.count() >= MOST_FILES:
        raise UploadError(_("No more files can be added to this work. Ask your teacher."))
    return Upload.objects.create(
        submission=submission, name=stored.name, path=stored.path, size=stored.size, uploaded_at=now
    )


def send_file(upload: Upload) -> FileResponse:
    """The file to be saved, never to be shown: whatever a student put into it runs on no page of ours."""
    try:
        content = default_storage.open(upload.path, "rb")
    except FileNotFoundError:
        raise Http404(_("This file is not in the storage. Tell the people who run this installation.")) from None
    response = FileResponse(
        content,
        as_attachment=True,
        filename=upload.name,
        content_type="application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response
