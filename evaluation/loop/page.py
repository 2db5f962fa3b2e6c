"""The loop as a page: returns over real steps, and each round with its figures and its video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from data_gen.atomic import write_atomically
from evaluation.gap_report.charts import Plot
from evaluation.gap_report.page import STYLE
from evaluation.loop.rounds import Round, Setting
from world_model.training.held_out import NEAR


def write_page(setting: Setting, done: Sequence[Round], file: Path) -> None:
    """Write the page of the rounds that are done."""
    write_atomically(file, page(setting, done).encode())


def page(setting: Setting, done: Sequence[Round]) -> str:
    """The page."""
    game = escape(setting.game)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>From nothing to {game}</title><style>{STYLE}</style></head>\n<body><main>"
        f"<header><p class='kicker'>neural-env loop · seed {setting.seed}</p>"
        f"<h1>{game} from nothing, with {setting.real_steps:,} real steps</h1>"
        f"<p class='sub'>{len(done)} of {setting.rounds} rounds: play, record, learn a world, train in its dream, play "
        "better.</p></header>"
        f"<section><h2>Returns</h2><figure class='wide'>{_returns(done)}</figure>"
        "<p class='legend'><span class='key floor'>in the real game</span>"
        "<span class='key dream'>in the dream</span></p>"
        f"</section><section><h2>Rounds</h2>{''.join(_round(setting, each) for each in done)}</section>"
        "</main></body></html>\n"
    )


def _returns(done: Sequence[Round]) -> str:
    values = [value for each in done for value in (each.dream_return, *each.real_interval)]
    low, high = min(values), max(values)
    last = max(each.real_steps for each in done)
    plot = Plot((0, last), (low, high if high > low else low + 1), "real steps", "mean return", 640, 320)
    plot.band([(each.real_steps, *each.real_interval) for each in done], "real")
    plot.line([(each.real_steps, each.real_return) for each in done], "real")
    plot.line([(each.real_steps, each.dream_return) for each in done], "dream")
    for each in done:
        plot.dot(each.real_steps, each.real_return, "dot real", f"round {each.number}", radius=4)
    return plot.svg("returns over real steps")


def _round(setting: Setting, each: Round) -> str:
    low, high = each.real_interval
    rows = {
        "real steps so far": f"{each.real_steps:,} in {each.episodes} games",
        "games of this round": f"{each.recorded_return:+.2f} in the mean",
        "agent in the real game": f"{each.real_return:+.2f} ({low:+.2f} to {high:+.2f})",
        "agent in the dream": f"{each.dream_return:+.2f}",
        **dict(_figure(name, value) for name, value in each.world.items()),
    }
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    return f"<h3>Round {each.number}</h3><dl>{facts}</dl>{_video(setting, each)}"


def _figure(name: str, value: float) -> tuple[str, str]:
    """A figure of the world's last judging, as `judge_dynamics` names it: what, and after how many steps.

    Example:
        >>> _figure("gain_8", 8.3), _figure("own_paddle_1", 0.94)
        (('gain over the seed frame, 8 steps ahead', '8.30 dB'), ('own paddle within 2 px, 1 step ahead', '94 %'))
    """
    what, _, steps = name.rpartition("_")
    ahead = f"{steps} step{'' if steps == '1' else 's'} ahead"
    if what == "gain":
        return f"gain over the seed frame, {ahead}", f"{value:.2f} dB"
    return f"{what.replace('_', ' ')} within {NEAR:g} px, {ahead}", f"{value:.0%}".replace("%", " %")


def _video(setting: Setting, each: Round) -> str:
    """The last real | dream video of the world's training, if it was long enough to have one."""
    run = setting.folder(each.number) / "world-run"
    videos = sorted(
        run.glob("*/reports/*_real_dream.mp4"), key=lambda file: (file.parts[-3] == "own_output", file.name)
    )
    if not videos:
        return ""
    source = escape(os.path.relpath(videos[-1], setting.out))
    return (
        f"<figure><video class='pixels' controls loop muted width='100%' src='{source}'></video>"
        "<figcaption>recorded | dreamed from the same moments with the same actions</figcaption></figure>"
    )
