"""report: everything → one page, a data card, a model card and the attribution list."""

from __future__ import annotations

from elek.report.facts import gather, headline
from elek.report.page import FILES, write
from elek.report.params import ReportParams
from stages._shell import Stage


def main() -> None:
    with Stage("report", ReportParams) as stage:
        facts = gather(stage.project / "data", stage.project / "reports", stage.params)
        write(stage.out, facts, stage.params)
        stage.metrics = headline(facts)
        stage.summary.append(("page", "data/report/index.html"))
        stage.summary.append(("also", ", ".join(sorted(set(FILES) - {"index.html"}))))


if __name__ == "__main__":
    main()
