"""Play all sides, in as many processes as wanted, and keep what is done: a run that was stopped goes on there.

Episodes are played in parts, one file each, whole or not there; the table is all parts in order.
"""

from __future__ import annotations

import atexit
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium.envs.registration import EnvSpec
from tqdm import tqdm

from data_gen.atomic import write_atomically
from data_gen.die_with_parent import die_with_parent
from data_gen.games import UnknownGame
from data_gen.games import game as game_named
from data_gen.policy import Policy
from evaluation.gap_report.contestants import Contestant
from evaluation.gap_report.episodes import Episode, Planned, Side, from_csv, to_csv
from evaluation.gap_report.matches import Matches
from evaluation.gap_report.play import Watching, play_episodes
from evaluation.gap_report.profile import Profile
from evaluation.gap_report.sides import GameSide, ShuffledSide, open_side
from evaluation.sights import Seconds, sight
from world_model.metrics.lanes import Limits
from world_model.starts import Starts
from world_model.training.allocator import one_thread

_REAL_TWICE: tuple[Side, ...] = ("real", "again")
_LANES = 24  # side by side; the same whatever the number of processes, so that the same is drawn
_IN_A_ROW = 4  # episodes that a lane plays one after another in a part, at most
_PARTS = 8  # of a side at least, where it has as many episodes as lanes in each
_LONGEST = 27_000  # steps of an episode that nobody cuts, for what of it is done
_POLL = 0.2  # seconds
_BAR = "{l_bar}{bar}| {elapsed}<{remaining}"  # what it counts, steps that might be needed, says nothing to anybody
_STEPS_A_SECOND = 15.0  # of games that nobody knows


@dataclass(frozen=True)
class Part:
    """Some episodes of one side, played in one go."""

    name: str
    spec: EnvSpec
    shuffled: bool
    plan: tuple[Planned, ...]
    starts: Starts | None


@dataclass(frozen=True)
class Setting:
    """What all parts share."""

    members: tuple[Contestant, ...]
    game: str
    max_steps: int | None
    watched: int
    seed: int

    @property
    def longest(self) -> int:
        """Steps of an episode, at most; a guess where nobody cuts them."""
        return self.max_steps or _LONGEST

    def watching(self) -> Watching:
        """What is looked at: what the game's sight reads, or nothing but pixels."""
        found = sight(self.game)
        try:
            limits = (found.seconds if found else Seconds()).limits(game_named(self.game))
        except UnknownGame:
            limits = Limits(*[round(10 * _STEPS_A_SECOND)] * 4)
        return Watching(found, limits, self.watched)


def parts(dream: EnvSpec, real: EnvSpec, found: Matches, members: Sequence[Contestant], profile: Profile) -> list[Part]:
    """What is to be played, the sides that take longest first."""
    everyone = list(members)
    real_twice = [
        planned
        for each in everyone
        for side in _REAL_TWICE
        for planned in found.planned(side, [each], profile.episodes)
    ]
    sides = [
        ("dream", dream, False, found.planned("dream", everyone, profile.episodes)),
        ("shuffled", dream, True, found.planned("shuffled", everyone, profile.null_episodes)),
        ("real", real, False, real_twice),
    ]
    return [
        Part(f"{name}-{number:04}", spec, shuffled, tuple(plan[first : first + size]), found.of_world)
        for name, spec, shuffled, plan in sides
        for size in [_part_size(len(plan))]
        for number, first in enumerate(range(0, len(plan), size))
    ]


def _part_size(planned: int) -> int:
    """Episodes of a part: several a lane, as a lane without one is stepped in vain, but parts enough to go round."""
    return min(max(planned // _PARTS, _LANES), _IN_A_ROW * _LANES)


def gather(todo: Sequence[Part], setting: Setting, folder: Path, workers: int) -> list[Episode]:
    """Play what is not there yet; all episodes, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    player = Player(setting, folder)
    missing = [part for part in todo if not player.file(part).exists()]
    total, left = (setting.longest * sum(len(part.plan) for part in each) for each in (todo, missing))
    # What a user has defined in a script cannot be sent to another process.
    here = any(each.path is None for each in setting.members) or any(callable(part.spec.entry_point) for part in todo)
    played = sum(len(part.plan) for part in todo)
    with tqdm(total=total, initial=total - left, desc=f"{played:,} episodes", smoothing=0, bar_format=_BAR) as bar:
        (_one_after_the_other if here or workers == 1 else _in_processes)(missing, player, workers, bar)
    return [episode for part in todo for episode in from_csv(player.file(part).read_bytes())]


class Player:
    """Plays parts: lanes are kept from part to part, and every policy is loaded once."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self._setting, self._folder = setting, folder
        self._sides: dict[tuple[str, bool], GameSide] = {}
        self._policies: dict[str, Policy] = {}

    def file(self, part: Part) -> Path:
        """Where a part's episodes go."""
        return self._folder / f"{part.name}.csv"

    def play(self, part: Part, on_steps: Callable[[int], object]) -> None:
        """Write the episodes of a part."""
        setting = self._setting

        def on_steps_or_ends(made: int, ended_after: Sequence[int]) -> None:
            # What an episode that ended early did not need counts as done: all are equal parts of the bar.
            on_steps(made + sum(setting.longest - length for length in ended_after))

        episodes = play_episodes(
            self._side(part),
            _LANES,
            part.plan,
            {each.policy: self._policy(each.policy) for each in part.plan},
            setting.max_steps,
            setting.watching(),
            setting.seed,
            on_steps_or_ends,
        )
        write_atomically(self.file(part), to_csv(episodes))

    def close(self) -> None:
        """Let go of all lanes."""
        while self._sides:
            self._sides.popitem()[1].close()

    def _side(self, part: Part) -> GameSide:
        key = (part.spec.id, part.shuffled)
        if key not in self._sides:
            side = open_side(part.spec, _LANES, part.starts)
            self._sides[key] = ShuffledSide(side) if part.shuffled else side
        side = self._sides[key]
        if isinstance(side, ShuffledSide):
            side.shuffle([self._setting.seed, *part.name.encode()])  # what a part draws is its own
        return side

    def _policy(self, name: str) -> Policy:
        if name not in self._policies:
            (member,) = [each for each in self._setting.members if each.name == name]
            self._policies[name] = member.load()
        return self._policies[name]


def _one_after_the_other(missing: Sequence[Part], player: Player, workers: int, bar: tqdm[None]) -> None:
    try:
        for part in missing:
            player.play(part, bar.update)
    finally:
        player.close()


# ---- in several processes --------------------------------------------------------------------------------------------


def _in_processes(missing: Sequence[Part], player: Player, workers: int, bar: tqdm[None]) -> None:
    context = multiprocessing.get_context("spawn")  # fork and torch's threads do not go together
    steps, stop, told = context.Value("Q", 0), context.Event(), 0
    processes = min(workers, max(1, len(missing)))
    with ProcessPoolExecutor(processes, context, _begin_worker, (player, steps, stop)) as pool:
        waiting = {pool.submit(_work, part) for part in missing}
        try:
            while waiting:
                finished, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
                for future in finished:
                    future.result()
                now = steps.value
                bar.update(now - told)
                told = now
        finally:
            # On success nothing runs any more; on any error the workers end within a step.
            stop.set()


def _begin_worker(player: Player, steps: Any, stop: Any) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it tells us through `stop`
    die_with_parent()
    one_thread()
    atexit.register(player.close)  # emulators are freed before the interpreter goes
    _worker = (player, steps, stop)


_worker: tuple[Player, Any, Any]


class _Stopped(Exception):
    """The parent told this worker to stop."""


def _work(part: Part) -> None:
    player, steps, stop = _worker

    def on_steps(made: int) -> None:
        if stop.is_set():
            raise _Stopped
        with steps.get_lock():
            steps.value += made

    player.play(part, on_steps)
