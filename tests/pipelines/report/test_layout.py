"""The page in a browser, at the widths of a screen, a tablet and a phone."""

from pathlib import Path

import pytest

from pipelines.report import render
from tests.pipelines.report.made_up import TWO, Rows
from tests.pipelines.report.test_report import contents
from tests.services.browser import needs_chromium, open_page

EDM: Rows = [("edm", 3, 5, 60.0), ("edm", 5, 9, 20.0), ("edm", 9, 10, 15.0), ("edm", 9, 17, 11.0), ("edm", 9, 20, 9.0)]
METHODS: list[dict[str, Rows]] = [
    TWO,
    {**TWO, "edm": EDM},
    {**TWO, "edm": EDM, "ot_cfm": TWO["flow_matching"], "flow_matching_transformer": TWO["flow_matching"]},
]
# What lies beyond the page or its own box, and labels of one axis that overlap.
AMISS = """() => {
  const width = document.documentElement.clientWidth, amiss = [];
  for (const one of document.querySelectorAll("main *")) {
    const box = one.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1) amiss.push(`${one.tagName} reaches from ${box.left} to ${box.right}`);
    if (one.matches(".card, table") && one.scrollWidth > one.clientWidth + 1) amiss.push(`${one.tagName} scrolls`);
  }
  for (const axis of document.querySelectorAll("svg [id*='matplotlib.axis_1']")) {
    const texts = [...axis.querySelectorAll("text")].map(text => text.getBoundingClientRect());
    const ticks = texts.slice(0, -1).filter(box => box.width).sort((one, other) => one.left - other.left);
    ticks.slice(1).forEach((box, k) => box.left < ticks[k].right + 2 && amiss.push(`labels touch at ${box.left}`));
  }
  return amiss;
}"""


@needs_chromium
@pytest.mark.parametrize("methods", METHODS, ids=lambda methods: f"{len(methods)} methods")
def test_everything_fits_at_any_width(methods: dict[str, Rows], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(contents(tmp_path, methods)))
    with open_page() as page:
        for width in (1280, 800, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(file.as_uri())
            assert page.evaluate(AMISS) == [], width
            if width == 400:  # the plot is what the first screen is for
                plot = page.locator(".first svg").bounding_box()
                assert plot is not None
                assert plot["y"] + plot["height"] / 2 < 900
