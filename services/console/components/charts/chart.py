"""A chart; what is clicked leads to the rows behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nicegui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

ECHARTS = Path(nicegui.__path__[0]) / "elements" / "echart" / "dist"


class Chart(Element, component="chart.js", esm={"nicegui-echart": str(ECHARTS)}):
    """A chart by the options of Apache ECharts; `label` says in words what it shows."""

    def __init__(self, options: dict[str, Any], label: str, on_picked: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.props["options"], self.props["label"] = options, label

        def picked(event: GenericEventArguments) -> None:
            on_picked(event.args)

        self.on("picked", picked)
