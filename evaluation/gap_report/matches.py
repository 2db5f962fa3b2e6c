"""Matched starts: at which moments episodes begin, alike in dream and reality."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.gap_report.contestants import Contestant
from evaluation.gap_report.episodes import Planned, Side
from evaluation.gap_report.pair import Pair
from evaluation.gap_report.profile import Profile
from evaluation.gap_report.sides import dream_options
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.registration import is_dream
from world_model.starts import Starts

_FIRST_SEED = 40_000_000  # far from the seeds of training, recording, grading and the zoo


@dataclass(frozen=True)
class Matches:
    """The starts of all episodes, in order: indices of the world's starts, or reset seeds."""

    starts: tuple[int, ...]
    of_world: Starts | None  # where they are the world's
    how: str  # in words, for the report

    def planned(self, side: Side, members: list[Contestant], episodes: int) -> list[Planned]:
        """A side's episodes, policy by policy."""
        return [
            Planned(side, each.name, place, self.starts[place % len(self.starts)])
            for each in members
            for place in range(episodes)
        ]


def matches(compared: Pair, profile: Profile, seed: int) -> Matches:
    """The beginnings of games that the world has (any of its starts if it has none), or seeds."""
    starts = compared.starts
    if is_dream(compared.dream):
        starts = Dream(DreamOptions.of(dream_options(compared.dream))).shared.starts
    if starts is None:
        first = _FIRST_SEED + seed * max(profile.episodes, profile.null_episodes)
        seeds = tuple(range(first, first + profile.episodes))
        return Matches(seeds, None, f"{len(seeds)} reset seeds, the same on every side")
    beginnings = tuple(place for place, start in enumerate(starts) if start.kind == "beginning")
    chosen = beginnings or tuple(range(len(starts)))
    kind = "beginnings of games" if beginnings else "moments within games"
    return Matches(chosen, starts, f"{len(chosen)} {kind} of the world; the real game is brought to each by replay")
