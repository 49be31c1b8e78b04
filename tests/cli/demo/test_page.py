"""The page as text, and as a real browser without a screen draws it."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from gossamer.cli.demo.page import render_demo
from gossamer.cli.demo.summary import summarise
from gossamer.report.page import write_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
WIDTH, HEIGHT = 1000, 2600


@pytest.fixture(scope="module")
def page(demo_result, digits):
    return render_demo(demo_result, digits)


@pytest.fixture(scope="module")
def browse(page, tmp_path_factory):
    """Let the browser open the page with further flags, in a profile of its own."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    folder = tmp_path_factory.mktemp("browser")
    write_page(folder / "page.html", page)

    def call(*flags, file=folder / "page.html"):
        return subprocess.run(
            [
                *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
                *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}"),
                *(f"--window-size={WIDTH},{HEIGHT}", *flags, file.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    return call


def draw(browse, path, *flags):
    browse(f"--screenshot={path}", *flags)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def has_colour(pixels, colour):
    return bool((np.abs(pixels - np.array(colour)).max(axis=2) <= 2).any())


def test_the_page_shows_the_table(page, demo_result):
    text = re.sub(r"<[^>]+>", "\n", page)
    for row in summarise(demo_result).rows:
        for cell in row:
            assert cell in text


def test_the_page_shows_each_mistake_and_each_layer(page):
    assert page.count("a 8, read as 1") == 2
    assert page.count("nonzeros of") == 6
    assert "block.&lt;1&gt;" in page
    assert "block.<1>" not in page


def test_the_page_needs_nothing_from_outside(page):
    assert not re.search(r"(?i)https?:|<script|<link|@import|url\(", page)


def test_a_network_without_mistakes_says_so(demo_result, digits):
    from dataclasses import replace

    outcomes = tuple(replace(outcome, mistakes=()) for outcome in demo_result.outcomes)
    assert "None." in render_demo(replace(demo_result, outcomes=outcomes), digits)


def test_a_browser_reads_the_page(browse):
    dom = browse("--dump-dom")
    assert dom.count("<section>") == 5
    assert dom.count("<img") == 2 * (2 + 3)
    assert dom.count("<svg") == 2


def test_a_browser_draws_the_page_light(browse, tmp_path):
    pixels = draw(browse, tmp_path / "light.png")
    assert pixels[0, 0].min() > 240
    assert has_colour(pixels, (58, 134, 180))
    assert has_colour(pixels, (224, 122, 63))


def test_a_browser_draws_the_page_dark(browse, tmp_path):
    pixels = draw(browse, tmp_path / "dark.png", "--blink-settings=preferredColorScheme=0")
    assert pixels[0, 0].max() < 40
    assert has_colour(pixels, (58, 134, 180))
    assert has_colour(pixels, (90, 162, 204))


def test_the_page_is_no_wider_than_a_small_window(browse, page, tmp_path):
    """Wide tables and pictures scroll or shrink in themselves."""
    script = "<script>document.title = document.documentElement.scrollWidth</script>"
    write_page(tmp_path / "measured.html", page.replace("</body>", f"{script}</body>"))
    dom = browse("--dump-dom", "--window-size=500,2000", file=tmp_path / "measured.html")
    assert int(re.search(r"<title>(\d+)</title>", dom).group(1)) <= 500
