"""A CSV as LibreOffice reads it: its cells, and whether it computed any of them."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

SECONDS = 120
# Comma, quotes, UTF-8, from the first line on; the last token asks to compute formulas, as careless people do.
IMPORT = "CSV:44,34,76,1,,0,false,true,false,false,false,-1,true"
_NAMES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
}


def find_libreoffice() -> str | None:
    return shutil.which("libreoffice") or shutil.which("soffice")


@dataclass(frozen=True)
class Sheet:
    """`rows` are the cells as shown, `formulas` what LibreOffice would compute, `links` what a click would open."""

    rows: list[list[str]]
    formulas: list[str]
    links: list[str]


def open_csv(file: Path, folder: Path) -> Sheet:
    """Opens the file as a person would, and saves it as a spreadsheet, whose cells are read."""
    (sheet,) = open_csvs([file], folder)
    return sheet


def open_csvs(files: list[Path], folder: Path) -> list[Sheet]:
    """The same for several, of different names."""
    folder.mkdir(parents=True, exist_ok=True)
    program = find_libreoffice()
    assert program is not None
    command = [
        *(program, "--headless", "--norestore", f"-env:UserInstallation={(folder / 'profile').as_uri()}"),
        *(f"--infilter={IMPORT}", "--convert-to", "ods", "--outdir", str(folder), *map(str, files)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    made = [folder / f"{file.stem}.ods" for file in files]
    assert all(one.exists() for one in made), f"LibreOffice made nothing: {done.stdout} {done.stderr}"
    return [_read_sheet(one) for one in made]


def _read_sheet(made: Path) -> Sheet:
    with zipfile.ZipFile(made) as archive:
        document = etree.fromstring(archive.read("content.xml"))
    table = document.find(".//table:table", _NAMES)
    assert table is not None
    rows = [_read_row(row) for row in table.iterfind(".//table:table-row", _NAMES)]
    formulas = [str(one) for one in document.xpath("//@table:formula", namespaces=_NAMES)]
    links = [str(one) for one in document.xpath("//text:a/@xlink:href", namespaces=_NAMES)]
    return Sheet([row for row in rows if any(row)], formulas, links)


def _read_row(row: etree._Element) -> list[str]:
    cells: list[str] = []
    for cell in row.iterfind("table:table-cell", _NAMES):
        shown = "\n".join("".join(map(str, line.itertext())) for line in cell.iterfind("text:p", _NAMES))
        repeated = int(cell.get(f"{{{_NAMES['table']}}}number-columns-repeated") or 1)
        cells += [shown] * min(repeated, 50)
    while cells and not cells[-1]:
        cells.pop()
    return cells
