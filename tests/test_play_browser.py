"""The page in a real browser: keys move the paddle, frames change, fingers work, and it fits a phone.

`PLAY_SCREENSHOTS=folder` keeps pictures of the page to be looked at. How long a key takes to be seen, on a machine that
has time: `pytest -m slow -s tests/test_play_browser.py`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromium import Page, browser, chromium
from data_gen.games import game
from neural_env.dream_options import DreamOptions
from neural_env.play.playground import Playground
from play_client import running_server
from toy_play import toy_playground

pytestmark = pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="no Chromium here; .ci/run installs one"
)

_GREEN = "[92, 186, 92]"  # the player's own paddle
_PADDLE = f"""(() => {{
  const canvas = document.querySelector('figure[data-side=real] canvas');
  if (!canvas) return null;
  const {{ data, width }} = canvas.getContext('2d').getImageData(70, 14, 8, 64);
  let sum = 0, count = 0;
  for (let i = 0; i < data.length; i += 4)
    if ({_GREEN}.every((level, channel) => Math.abs(data[i + channel] - level) < 60) && data[i + 1] > data[i] + 40) {{
      sum += Math.floor(i / 4 / width);
      count += 1;
    }}
  return count ? sum / count : null;
}})()"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return toy_playground(tmp_path_factory.mktemp("play") / "world", game("Pong"))


@pytest.fixture(scope="module")
def page(ground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, open."""
    with running_server(ground, {}) as doors, browser(tmp_path_factory.mktemp("browser")) as page:
        page.resize(1280, 860)
        page.open(doors.address)
        page.wait_for("document.querySelector('#panels')?.dataset.step > 1")
        yield page


def _show(page: Page, view: str) -> None:
    page.ask(f"document.querySelector('[data-view={view}]').click()")
    sides = {"dream": ["dream"], "real": ["real"], "both": ["dream", "real"]}[view]
    page.wait_for(
        f"[...document.querySelectorAll('figure')].map(each => each.dataset.side).join() === '{','.join(sides)}'"
    )


def _step(page: Page) -> int:
    return int(page.ask("Number(document.querySelector('#panels').dataset.step)"))


def test_keys_move_the_paddle_as_long_as_they_are_held(page: Page) -> None:
    """Up with w, down with the arrow, and no further once the key is let go."""
    _show(page, "real")
    page.wait_for(f"{_PADDLE} !== null")
    for key, moved in (("w", -6), ("ArrowDown", 6)):
        before = page.ask(_PADDLE)
        page.key("keyDown", key)
        page.wait_for(f"({_PADDLE} - {before}) * {moved} > {moved * moved}")
        page.key("keyUp", key)
        page.wait_for("document.querySelector('#panels').dataset.action === '0'")
        rested = _step(page)
        page.wait_for(f"document.querySelector('#panels').dataset.step > {rested + 2}")


def test_the_action_that_is_played_is_lit(page: Page) -> None:
    _show(page, "real")
    page.key("keyDown", "w")
    assert page.wait_for("document.querySelector('#actions .lit')?.textContent.startsWith('RIGHT')")
    page.key("keyUp", "w")
    assert page.wait_for("document.querySelector('#actions .lit')?.textContent.startsWith('NOOP')")


def test_frames_change_and_stand_still_while_paused(page: Page) -> None:
    _show(page, "dream")
    pixels = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 84, 84).data].join()"
    before = page.ask(pixels)
    assert page.wait_for(f"{pixels} !== '{before}'")
    page.key("keyDown", "p")
    page.key("keyUp", "p")
    page.wait_for("document.querySelector('#pause').ariaPressed === 'true'")
    still = _step(page)
    page.ask("document.querySelector('#single').click()")
    page.wait_for(f"document.querySelector('#panels').dataset.step == {still + 1}")
    page.ask("document.querySelector('#pause').click()")
    page.wait_for("document.querySelector('#pause').ariaPressed === 'false'")


def test_a_thumbnail_begins_both_sides_at_its_moment(page: Page) -> None:
    _show(page, "both")
    page.ask("document.querySelector('[data-start=\"3\"]').click()")
    page.wait_for("document.querySelector('[data-start=\"3\"]').ariaPressed === 'true'")
    assert page.ask("document.querySelectorAll('#starts button').length") == 4


def test_a_slider_changes_the_dream(page: Page) -> None:
    _show(page, "dream")
    slider = "document.querySelector('[data-sample=steps]')"
    for value in (4, 1):
        page.ask(f"{slider}.value = {value}; {slider}.oninput()")
        page.wait_for(f"{slider}.nextElementSibling.textContent === '{value}'")


def test_nothing_was_refused_by_the_pages_own_policy(page: Page) -> None:
    """A style or script that the content security policy stops would fail without a word."""
    assert page.ask("getComputedStyle(document.querySelector('#stage')).borderRadius") == "18px"
    assert page.ask("document.querySelector('#gone').open") is False
    assert page.ask("location.search") == "", "the token does not stay in the address"
    assert page.ask("document.cookie") == "", "and no script can read it"


def test_a_finger_holds_an_action_on_a_phone_where_everything_fits(page: Page) -> None:
    page.resize(390, 844, touch=True)
    try:
        _show(page, "both")
        assert page.ask("document.documentElement.scrollWidth") == 390
        button = page.ask(
            "(() => { const box = document.querySelectorAll('#actions button')[3].getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2, box.height]; })()"
        )
        assert button[2] >= 44, "large enough for a finger"
        page.touch("touchStart", button[0], button[1])
        page.wait_for("document.querySelector('#panels').dataset.action === '3'")
        page.touch("touchEnd")
        page.wait_for("document.querySelector('#panels').dataset.action === '0'")
    finally:
        page.resize(1280, 860)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
def test_the_page_has_something_to_show(page: Page, width: int, height: int, scheme: str) -> None:
    """Light is light, dark is dark, and nothing is empty; whether it is beautiful, people judge."""
    page.resize(width, height, scheme, touch=width < 600)
    try:
        _show(page, "both")
        page.wait_for("document.querySelector('#panels').dataset.step > 2 && !document.querySelector('.busy')")
        content = page.picture()
    finally:
        page.resize(1280, 860)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    corner = float(picture[-40:, :8].mean())
    assert corner > 200 if scheme == "light" else corner < 60
    assert picture.std() > 20
    if folder := os.environ.get("PLAY_SCREENSHOTS"):
        (Path(folder) / f"play-{width}-{scheme}.png").write_bytes(content)


# ---- how long it takes ----------------------------------------------------------------------------------------------

_PRESSES, _LONGEST = 60, 66  # ms: a step of a game of 15 Hz
_WATCH = """(() => {
  window.seen = [];
  let pressed = null;
  addEventListener('keydown', (event) => { pressed ??= event.timeStamp; }, true);
  new MutationObserver(() => {
    if (document.querySelector('#panels').dataset.action !== '2' || pressed === null) return;
    window.seen.push(performance.now() - pressed);
    pressed = null;
  }).observe(document.querySelector('#panels'), { attributes: true });
})()"""

# In the page itself: asking it again and again would take the server's time, which runs in this process.
_WAIT = "new Promise((done) => { const look = () => (%s ? done() : setTimeout(look, 10)); look(); })"


@pytest.mark.slow
def test_a_key_is_seen_within_a_step(tmp_path: Path) -> None:
    """From the key to the drawn frame that it has changed, in the shipped world, on loopback: the median."""
    ground = Playground.dream_of(DreamOptions(game="Pong", max_episode_steps=-1))
    draw = random.Random(0)
    with running_server(ground, {}) as doors, browser(tmp_path / "browser") as page:
        page.open(doors.address)
        page.wait_for("document.querySelector('#panels')?.dataset.step > 20")
        page.ask(_WATCH)
        for press in range(1, _PRESSES + 1):
            page.key("keyDown", "w")
            page.ask(_WAIT % f"window.seen.length === {press}")
            page.key("keyUp", "w")
            page.ask(_WAIT % "document.querySelector('#panels').dataset.action === '0'")
            time.sleep(draw.uniform(0, 0.1))
        seen = page.ask("window.seen")
        status = page.ask("document.querySelector('#status').textContent")
    low, median, high = np.percentile(seen, [10, 50, 90])
    print(f"\nkey to frame: median {median:.0f} ms, 10 % below {low:.0f}, 10 % above {high:.0f}; {status}")
    assert median < _LONGEST
