"""The offline report."""

import re
from pathlib import Path

from PIL import Image

from sightline.records.html_report import Report


def test_report_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 3), (255, 0, 0)).save(picture)
    report = Report("A <b> title", "lead & sentence")
    report.heading("Numbers")
    report.paragraph("run `sightline serve x` now")
    report.table(("method", "median m", "share"), [("<net>", "0.20", "95%"), ("map", "-", "5 %")])
    report.pictures([(picture, "a 'red' one")])
    path = tmp_path / "report.html"
    report.write(path)
    picture.unlink()
    text = path.read_text(encoding="utf-8")
    assert "<h1>A &lt;b&gt; title</h1>" in text
    assert "<code>sightline serve x</code>" in text
    assert "<td>&lt;net&gt;</td><td class='number'>0.20</td><td class='number'>95%</td>" in text
    assert not re.search(r"(?:src|href)='(?!data:)", text)
    assert "http" not in text
    assert text.count("data:image/png;base64,") == 1
