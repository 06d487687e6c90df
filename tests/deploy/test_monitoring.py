"""Alerts and dashboard ask for metrics, labels and outcomes that exist; each alert has its runbook."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.monitoring.dashboard import PANELS, dashboard
from tests.project.source_tree import sources

ROOT = Path(__file__).resolve().parents[2]
GROUPS = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yml").read_text())["groups"]
ALERTS: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
QUERIES = [(rule["alert"], rule["expr"]) for rule in ALERTS] + [(title, query) for title, query, _ in PANELS]
METRIC = re.compile(r"\breturpost_\w+")
MATCHED = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"')
OF_SCRAPE = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of a histogram's buckets."""


def metrics() -> dict[str, set[str]]:
    """Return the labels of every series by its name."""
    for path in sources():
        if path.startswith(("services/", "shared/")) and "prometheus_client" in (ROOT / path).read_text():
            import_module(path.removesuffix(".py").replace("/", "."))
    found = {}
    for collector, names in REGISTRY._collector_to_names.items():
        for name in names:
            found[name] = set(getattr(collector, "_labelnames", ()))
    return found


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_queries_name_metrics_and_labels_that_exist(title: str, query: str) -> None:
    known = metrics()
    named = METRIC.findall(query)
    assert named or "up{" in query, title
    labels = OF_SCRAPE.union(*(known[name] for name in named))
    grouped = [label.strip() for part in re.findall(r"by \(([^)]*)\)", query) for label in part.split(",")]
    assert {*grouped, *MATCHED.findall(query)} <= labels, title
    assert query.count("(") == query.count(")"), title


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_have_severity_summary_and_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    page = ROOT / rule["annotations"]["runbook"]
    assert page.is_file()
    assert rule["alert"] in page.read_text(), "the page says by which alert it is known"


RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_runbooks_say_how_it_looks_what_to_do_and_when_it_is_over(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
    assert headings == ["Symptoms", "Steps", "Resolved when"]
    assert "```sh" in page.read_text()


def test_dashboard_has_each_panel_once() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(PANELS)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(PANELS)
