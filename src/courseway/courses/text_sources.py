"""Where a course's text comes from: a folder, a zip of a folder, or one file; nothing outside of it can be read."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol

from django.utils.translation import gettext as _

MAX_ZIP_MEMBERS = 20_000
COURSE_FILES = ("course.yaml", "course.yml")


class SourceError(Exception):
    """A file cannot be read; the text says which one and why, and is safe to show."""


class TextSource(Protocol):
    def read(self, name: str, limit: int) -> bytes:
        """The bytes of the file `name`, relative to course.yaml; SourceError when absent or above `limit` bytes."""


class NoFiles:
    """A course given as one text: there is nothing beside it."""

    def read(self, name: str, limit: int) -> bytes:
        raise SourceError(_("works only in a folder or a zip file with a course.yaml"))


class FolderSource:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def read(self, name: str, limit: int) -> bytes:
        try:
            path = (self.folder / _inside(name)).resolve(strict=True)
            # A link inside the folder may point outside of it.
            if not path.is_relative_to(self.folder):
                raise SourceError(_("%(name)s lies outside the folder") % {"name": name})
            if not stat.S_ISREG(path.stat().st_mode):
                raise SourceError(_("%(name)s is not a file") % {"name": name})
            with path.open("rb") as file:
                return _read_at_most(file, name, limit)
        except FileNotFoundError as error:
            raise SourceError(_("%(name)s is not there") % {"name": name}) from error
        except (OSError, RuntimeError, ValueError) as error:  # no permission, links in a circle, a name with NUL
            raise SourceError(_("%(name)s cannot be read") % {"name": name}) from error


# What a damaged or strange member raises while it is unpacked.
_DAMAGES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


class ZipSource:
    """A zip of the folder; course.yaml lies at its top or in its only folder. Sizes are limited as they unpack."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self.archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, zlib.error) as error:
            raise SourceError(_("This is not a zip file that can be read.")) from error
        names = self.archive.namelist()
        if len(names) > MAX_ZIP_MEMBERS:
            raise SourceError(_("The zip file holds more than %(limit)s files.") % {"limit": MAX_ZIP_MEMBERS})
        found = [name for name in names if PurePosixPath(name).name in COURSE_FILES and name.count("/") <= 1]
        if not found:
            raise SourceError(_("The zip file holds no course.yaml, neither at its top nor in its folder."))
        self.course_file = min(found, key=lambda name: (name.count("/"), name))
        self.prefix = self.course_file.rpartition("/")[0]

    def read(self, name: str, limit: int) -> bytes:
        inside = str(_inside(name))
        try:
            with self.archive.open(f"{self.prefix}/{inside}" if self.prefix else inside) as file:
                return _read_at_most(file, name, limit)
        except KeyError as error:
            raise SourceError(_("%(name)s is not there") % {"name": name}) from error
        except _DAMAGES as error:
            raise SourceError(_("%(name)s cannot be unpacked") % {"name": name}) from error

    def read_course_file(self, limit: int) -> bytes:
        return self.read(PurePosixPath(self.course_file).name, limit)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise SourceError(_("%(name)s lies outside the folder") % {"name": name})
    return path


def _read_at_most(file: IO[bytes], name: str, limit: int) -> bytes:
    content = file.read(limit + 1)
    if len(content) > limit:
        raise SourceError(_("%(name)s is larger than %(limit)s bytes") % {"name": name, "limit": limit})
    return content
