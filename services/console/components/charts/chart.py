"""A chart; what is clicked leads to the rows behind it."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import nicegui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.console.i18n import Texts

_FORMULA = re.compile(r"[=+\-@\t\r]")
"""How a formula begins: https://owasp.org/www-community/attacks/CSV_Injection"""
ECHARTS = Path(nicegui.__path__[0]) / "elements" / "echart" / "dist"


@dataclass(frozen=True, slots=True)
class ChartFile:
    """What a chart shows, as a file: its name without an ending, and a table."""

    name: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    words: Mapping[str, str]
    """What the buttons are called: `picture` and `csv`."""
    separator: str = ","

    @classmethod
    def of(cls, texts: Texts, title: str, headings: Sequence[str], rows: Sequence[Sequence[str | float]]) -> Self:
        """Return the file of a chart with this title, in the visitor's language."""
        words = {"picture": texts.t("Picture (PNG)"), "csv": texts.t("Numbers (CSV)")}
        return cls(title, headings, rows, words, ";" if texts.language == "nb" else ",")

    def csv(self) -> str:
        """Return the table as CSV, with a byte order mark; no cell begins as a formula of a spreadsheet does."""
        written = io.StringIO()
        writer = csv.writer(written, delimiter=self.separator)
        writer.writerow(self.headings)
        comma = self.separator == ";"
        for row in self.rows:
            writer.writerow([_cell(value, comma=comma) for value in row])
        return "\ufeff" + written.getvalue()


class Chart(Element, component="chart.js", esm={"nicegui-echart": str(ECHARTS)}):
    """A chart by the options of Apache ECharts; `label` says in words what it shows, `file` is what is downloaded."""

    def __init__(
        self, options: dict[str, Any], label: str, on_picked: Callable[[dict[str, Any]], None], file: ChartFile
    ) -> None:
        super().__init__()
        self.props["options"], self.props["label"] = options, label
        self.props["csv"], self.props["file"], self.props["words"] = file.csv(), file.name, dict(file.words)

        def picked(event: GenericEventArguments) -> None:
            on_picked(event.args)

        self.on("picked", picked)


def _cell(value: str | float, *, comma: bool) -> str:
    """Return a cell: numbers with the comma of the language, texts that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return str(value).replace(".", ",") if comma else str(value)
