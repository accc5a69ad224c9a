"""What is asked of every page as it looks: axe, big targets, nothing sideways, nothing cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SMALL = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), textarea')]
  .filter(each => each.checkVisibility({contentVisibilityAuto: true}) && !each.closest('.skip'))
  .filter(each => getComputedStyle(each).display !== 'inline')
  .map(each => [each.outerHTML.slice(0, 90), each.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([markup]) => markup)"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Words that do not fit where they stand. The club's name in the frame may be shortened: it stands in full below.
CUT = """() => [...document.querySelectorAll('body *')].filter(each => {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    if (!each.checkVisibility() || style.clipPath !== 'none' || each.closest('.skip, .club-name, .vh, i')) return false;
    const hidden = ['hidden', 'clip'].includes(style.overflowX) && each.scrollWidth > each.clientWidth + 1;
    const outside = !each.closest('.grid') && (box.left < -1 || box.right > document.documentElement.clientWidth + 1);
    return box.width && (hidden || outside);
  }).map(each => each.outerHTML.slice(0, 90))"""


def still(page: Page) -> Page:
    """Keep a page from following its checkout while it is looked at."""
    page.route("**/*was=*", lambda route: route.abort())
    return page


def troubles(page: Page) -> list[str]:
    """Return what axe finds, in words."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(f"() => axe.run(document, {json.dumps(RULES)})")
    return [f"{each['id']}: {node['html'][:120]}" for each in found["violations"] for node in each["nodes"]]


def looked_at(page: Page) -> list[str]:
    """Return everything wrong with the shown page, in both colour schemes."""
    page.wait_for_load_state()
    found = [f"{rule}: {words}" for rule, script in (("small", SMALL), ("cut", CUT)) for words in page.evaluate(script)]
    if page.evaluate(SIDEWAYS) > 0:
        found.append("sideways")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme} {words}" for words in troubles(page)]
    return found
