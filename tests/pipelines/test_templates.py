"""Pages from templates."""

from pathlib import Path

import jinja2
import pytest

from pipelines.templates import environment


def test_texts_of_others_mark_up_nothing_and_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.j2").write_text("<b>{{ name | loud }}{{ rest }}</b>")
    page = environment(tmp_path, loud=str.upper).get_template("page.j2")
    assert page.render(name="<i>", rest="") == "<b>&lt;I&gt;</b>"
    with pytest.raises(jinja2.UndefinedError, match="'rest' is undefined"):
        page.render(name="<i>")
