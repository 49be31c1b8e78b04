"""One HTML file that needs nothing else: no links outside, no script, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from gossamer.replacing import replacing


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: plain text.
        body: HTML; whoever makes it escapes what it shows.
        note: plain text under the title, may be empty.
    """

    title: str
    body: str
    note: str = ""


def paragraph(text: str) -> str:
    """Return plain text as a paragraph.

    Examples:
        >>> paragraph("a < b")
        '<p>a &lt; b</p>'
    """
    return f"<p>{escape(text)}</p>"


def figure(body: str, caption: str) -> str:
    """Return HTML with a caption of plain text."""
    return f"<figure>{body}<figcaption>{escape(caption)}</figcaption></figure>"


def gallery(figures: Sequence[str]) -> str:
    """Return figures side by side, as many a line as fit."""
    return f"<div class=gallery>{''.join(figures)}</div>"


def listing(figures: Sequence[str]) -> str:
    """Return figures below each other, each with its caption beside it where there is room."""
    return f"<div class=listing>{''.join(figures)}</div>"


def render_page(title: str, lead: str, sections: Sequence[Section], foot: str = "") -> str:
    """Return a whole HTML document.

    Args:
        title: plain text, for the head line and the browser's tab.
        lead: plain text, one or two sentences.
        sections: in order.
        foot: plain text at the end: what it was made with.

    Examples:
        >>> render_page("Demo", "What it is.", [Section("First", "<p>x</p>")]).count("<h2>")
        1
    """
    style = files("gossamer.report").joinpath("page.css").read_text(encoding="utf-8")
    body = "".join(_render_section(section) for section in sections)
    return (
        "<!doctype html>\n"
        f"<html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<meta name=color-scheme content="light dark">'
        f"<style>\n{style}</style></head>\n"
        f"<body><header><h1>{escape(title)}</h1><p class=lead>{escape(lead)}</p></header>\n"
        f"<main>{body}</main><footer>{escape(foot)}</footer></body></html>\n"
    )


def write_page(path: str | Path, page: str) -> None:
    """Write a page; replaces the file in one step."""
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _render_section(section: Section) -> str:
    note = f"<p class=note>{escape(section.note)}</p>" if section.note else ""
    return f"<section><h2>{escape(section.title)}</h2>{note}{section.body}</section>\n"
