"""Writes docs/guides/ from the guides of the product (src/courseway/lms/lms_guides.py): `make guides`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from courseway.lms.guide_text import write_guide
    from courseway.lms.lms_guides import LMS_GUIDES

    folder = ROOT / "docs" / "guides"
    folder.mkdir(exist_ok=True)
    for guide in LMS_GUIDES:
        (folder / f"{guide.key}.md").write_text(write_guide(guide), encoding="utf-8")


if __name__ == "__main__":
    main()
