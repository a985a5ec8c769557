"""The comparison for people: one self-contained HTML file."""

from pipelines.report.page import Contents, render

__all__ = ["Contents", "render"]
