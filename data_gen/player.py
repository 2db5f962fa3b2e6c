"""Play the episodes of a plan, a block side by side, in this process or in several.

Knows nothing of manifests: it turns an EpisodePlan into an episode file, whole or not at all.
"""

from __future__ import annotations

import atexit
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_gen.atomic import write_atomically
from data_gen.die_with_parent import die_with_parent
from data_gen.episode import EpisodeBuilder
from data_gen.plan import EpisodePlan, RecordingPlan
from data_gen.policy import Frames, Policy
from data_gen.twin import Twin

# name, epsilon -> the policy; workers must be able to import it (a module's function, or a partial of one).
MakePolicy = Callable[[str, float], Policy]
Block = tuple[EpisodePlan, ...]
OnSteps = Callable[[int], Any]

_POLL = 0.2  # seconds between two looks at the workers' progress


def play_plan(plan: RecordingPlan, make_policy: MakePolicy, root: Path, workers: int, on_steps: OnSteps) -> None:
    """Write every episode of the plan that is not there yet; `on_steps` hears of the steps as they are made."""
    player = Player(plan, make_policy, root)
    play = _play_here if workers == 1 else _play_in_processes
    play(player, _blocks(plan), workers, on_steps)


def steps_in(file: Path) -> int:
    """How many steps the episode in `file` has."""
    with h5py.File(file, "r") as episode:
        return len(episode["frames"]) - 1


def _blocks(plan: RecordingPlan) -> Iterator[Block]:
    """First the test split, then training episodes without end."""
    yield from _cut((plan.test_episode(index) for index in range(plan.test_episodes)), plan.lanes)
    yield from _cut(map(plan.training_episode, count()), plan.lanes)


def _cut(episodes: Iterable[EpisodePlan], size: int) -> Iterator[Block]:
    episodes = iter(episodes)
    while block := tuple(islice(episodes, size)):
        yield block


class Player:
    """Plays blocks: one twin a lane, kept from block to block, and every policy loaded once."""

    def __init__(self, plan: RecordingPlan, make_policy: MakePolicy, root: Path) -> None:
        self.plan = plan
        self._make_policy = make_policy
        self._root = root
        self._twins: list[Twin] = []
        self._policies: dict[tuple[str, float], Policy] = {}

    def play(self, block: Block, on_steps: OnSteps) -> int:
        """Write the missing episodes of `block`; returns the steps of all of them that are for training."""
        missing = [episode for episode in block if not (self._root / episode.file).exists()]
        for split in {episode.split for episode in missing}:
            (self._root / split).mkdir(exist_ok=True)
        if missing:
            self._play_side_by_side(missing, on_steps)
        return sum(steps_in(self._root / episode.file) for episode in block if episode.split != "test")

    def close(self) -> None:
        """Close the twins."""
        while self._twins:
            self._twins.pop().close()

    def _play_side_by_side(self, episodes: list[EpisodePlan], on_steps: OnSteps) -> None:
        policy = self._policy(episodes[0].policy, episodes[0].epsilon)
        while len(self._twins) < len(episodes):
            self._twins.append(Twin(self.plan.spec))
        games = {lane: _Game(self._twins[lane], episode) for lane, episode in enumerate(episodes)}
        policy.reset(np.arange(len(episodes)), np.array([episode.policy_seed for episode in episodes]))
        while games:
            lanes = np.array(list(games))
            actions = policy(np.stack([games[lane].frame for lane in games]), lanes)
            for lane, action in zip(lanes.tolist(), actions.tolist(), strict=True):
                if games[lane].step(action):
                    game = games.pop(lane)
                    write_atomically(self._root / game.plan.file, game.builder.to_bytes())
            on_steps(len(lanes))

    def _policy(self, name: str, epsilon: float) -> Policy:
        if (name, epsilon) not in self._policies:
            self._policies[name, epsilon] = self._make_policy(name, epsilon)
        return self._policies[name, epsilon]


class _Game:
    """One lane while its episode lasts."""

    def __init__(self, twin: Twin, plan: EpisodePlan) -> None:
        self.plan = plan
        self._twin = twin
        self.frame: Frames
        self.frame, info = twin.reset(seed=plan.reset_seed)
        self.builder = begin_episode(
            self.frame,
            info,
            {
                "policy": plan.policy,
                "epsilon": plan.epsilon,
                "reset_seed": plan.reset_seed,
                "policy_seed": plan.policy_seed,
            },
        )

    def step(self, action: int) -> bool:
        """Play one step; returns whether the episode ended."""
        self.frame, reward, terminated, truncated, info = self._twin.step(action)
        add_step(self.builder, action, self.frame, reward, terminated, truncated, info)
        return terminated or truncated


def begin_episode(frame: Frames, info: dict[str, Any], provenance: dict[str, Any]) -> EpisodeBuilder:
    """A builder that has seen what `Twin.reset` returned."""
    builder = EpisodeBuilder(frame, provenance)
    builder.add_variables(_variables(info))
    return builder


def add_step(
    builder: EpisodeBuilder,
    action: int,
    frame: Frames,
    reward: float,
    terminated: bool,
    truncated: bool,
    info: dict[str, Any],
) -> None:
    """What `Twin.step` returned, with the action that it was given."""
    builder.add_step(action, info["executed"], reward, terminated, truncated, frame)
    builder.add_variables(_variables(info), real=not info.get("screen_is_stale", False))


def _variables(info: dict[str, Any]) -> dict[str, float]:
    """The numbers that belong to a frame; how the game began is part of the provenance already."""
    skipped = ("noops", "screen_is_stale")
    return {
        name: float(value) for name, value in info.items() if name not in skipped and isinstance(value, (int, float))
    }


# ---- in this process -----------------------------------------------------------------------------------------------


def _play_here(player: Player, blocks: Iterator[Block], workers: int, on_steps: OnSteps) -> None:
    done = 0
    try:
        for block in blocks:
            if block[0].split != "test" and done >= player.plan.steps:
                return
            done += player.play(block, on_steps)
    finally:
        player.close()


# ---- in several ----------------------------------------------------------------------------------------------------


def _play_in_processes(player: Player, blocks: Iterator[Block], workers: int, on_steps: OnSteps) -> None:
    """Hand out blocks in their order, so that what is there in the end has no hole."""
    context = multiprocessing.get_context("spawn")  # fork and torch's threads do not go together
    steps, stop = context.Value("Q", 0), context.Event()
    told = done = 0
    running: set[Future[int]] = set()
    with ProcessPoolExecutor(workers, context, _begin_worker, (player, steps, stop)) as pool:
        try:
            while True:
                while len(running) < workers and (block := _next_block(blocks, done, player.plan.steps)):
                    running.add(pool.submit(_work, block))
                if not running:
                    return
                finished, running = wait(running, _POLL, FIRST_COMPLETED)
                done += sum(future.result() for future in finished)
                on_steps(steps.value - told)
                told = steps.value
        finally:
            # On success nothing runs any more; on any error the workers end within a step.
            stop.set()


def _next_block(blocks: Iterator[Block], done: int, wanted: int) -> Block | None:
    block = next(blocks)
    return None if block[0].split != "test" and done >= wanted else block


def _begin_worker(player: Player, steps: Any, stop: Any) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it tells us through `stop`
    die_with_parent()
    atexit.register(player.close)  # emulators are freed before the interpreter goes
    _worker = (player, steps, stop)


_worker: tuple[Player, Any, Any]


class _Stopped(Exception):
    """The parent told this worker to stop."""


def _work(block: Block) -> int:
    player, steps, stop = _worker

    def on_steps(added: int) -> None:
        if stop.is_set():
            raise _Stopped
        with steps.get_lock():
            steps.value += added

    return player.play(block, on_steps)
