"""The comparison for people: one self-contained HTML file, and its words as Markdown."""

from pipelines.report.markdown import markdown
from pipelines.report.page import Contents, render, render_claims

__all__ = ["Contents", "markdown", "render", "render_claims"]
