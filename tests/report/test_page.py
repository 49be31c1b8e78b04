import re
from html.parser import HTMLParser

from gossamer.report.page import (
    Section,
    figure,
    gallery,
    listing,
    paragraph,
    render_page,
    write_page,
)

VOID = {"meta", "img", "link", "br"}


class Balance(HTMLParser):
    """Fails on a tag that is closed in another order than it was opened."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page():
    figures = [figure(paragraph("x & y"), "caption <1>")]
    body = gallery(figures) + listing(figures)
    return render_page("A <title>", "A lead.", [Section("One", body, "a <note>")], "foot & more")


def test_tags_are_balanced():
    parser = Balance()
    parser.feed(page())
    assert parser.open == []


def test_text_is_escaped():
    text = page()
    for raw in ("<1>", "<note>", "A <title>", "x & y", "foot & more"):
        assert raw not in text


def test_the_page_needs_nothing_from_outside():
    text = page()
    assert not re.search(r"(?i)https?:|<script|<link|@import|url\(|\ssrc=[\"']?(?!data:)", text)


def test_the_page_has_a_light_and_a_dark_face():
    text = page()
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme: light dark" in text


def test_writing_replaces_the_file(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    write_page(path, "new é")
    assert path.read_text(encoding="utf-8") == "new é"
    assert list(tmp_path.iterdir()) == [path]
