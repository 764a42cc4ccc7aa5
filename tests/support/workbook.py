"""Workbooks written part by part, so that a test says exactly what stands in the file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_TRANSITIONAL: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
)
_STRICT: Final = (
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)


@dataclass(frozen=True)
class Raw:
    """A cell as it stands in the file: its type, its value, its style, its formula."""

    value: str
    kind: str = "n"
    style: int = 0
    formula: str = ""


Cell = str | Raw | None
Rows = Sequence[Sequence[Cell]]


def write_workbook(
    path: Path,
    sheets: Mapping[str, Rows],
    hidden: Sequence[str] = (),
    formats: Sequence[int] = (),
    strict: bool = False,
    epoch_1904: bool = False,
) -> Path:
    """A package with these sheets in their order. `formats` are the number formats of styles 1, 2, 3 …; none has a code."""
    main, office = _STRICT if strict else _TRANSITIONAL
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in (0, *formats))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        document = f'<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        package.writestr("_rels/.rels", _relations(document))
        listed = "".join(_listed(at, name, name in hidden) for at, name in enumerate(sheets, start=1))
        package.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><workbookPr date1904="{int(epoch_1904)}"/>'
            f"<sheets>{listed}</sheets></workbook>",
        )
        targets = "".join(
            f'<Relationship Id="s{at}" Type="{office}/worksheet" Target="worksheets/sheet{at}.xml"/>'
            for at in range(1, len(sheets) + 1)
        )
        targets += f'<Relationship Id="styles" Type="{office}/styles" Target="/xl/styles.xml"/>'
        package.writestr("xl/_rels/workbook.xml.rels", _relations(targets))
        package.writestr(
            "xl/styles.xml", f'<styleSheet xmlns="{main}"><cellXfs count="1">{styles}</cellXfs></styleSheet>'
        )
        for at, rows in enumerate(sheets.values(), start=1):
            body = "".join(_row(number, row) for number, row in enumerate(rows, start=1) if row)
            package.writestr(
                f"xl/worksheets/sheet{at}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
            )
    return path


def _listed(at: int, name: str, hidden: bool) -> str:
    state = ' state="hidden"' if hidden else ""
    return f'<sheet name={quoteattr(name)} sheetId="{at}" r:id="s{at}"{state}/>'


def _relations(listed: str) -> str:
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{listed}</Relationships>'


def _row(number: int, cells: Sequence[Cell]) -> str:
    shown = "".join(
        _cell(f"{_letters(place)}{number}", cell) for place, cell in enumerate(cells) if cell is not None
    )
    return f'<row r="{number}">{shown}</row>'


def _letters(place: int) -> str:
    first, last = divmod(place, 26)
    return (chr(64 + first) if first else "") + chr(65 + last)


def _cell(at: str, cell: str | Raw) -> str:
    if isinstance(cell, str):
        return f'<c r="{at}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    formula = f"<f>{escape(cell.formula)}</f>" if cell.formula else ""
    value = f"<v>{escape(cell.value)}</v>" if cell.value else ""
    return f'<c r="{at}" t="{cell.kind}" s="{cell.style}">{formula}{value}</c>'
