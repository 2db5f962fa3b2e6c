"""The stage `neural-env bench recording`: what recording costs, as a ratio in one run, and how fast windows come.

Bare stepping and recording take turns over the same blocks of the same plan, with the same twins and policies; the
figures are steps per second of each.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from agents.record_command import make_policy, policy_sha256
from data_gen.games import game
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.player import Block, Player
from data_gen.policy import Policy
from data_gen.recorder import record
from data_gen.twin import Twin
from data_gen.windows import Windows


@dataclass(frozen=True)
class BenchRecordingConfig:
    """Measure the recorder against bare stepping, and the windows reader."""

    game: str = "Pong"
    policy: str = RANDOM_HOLD
    episode_steps: int = 300
    rounds: int = 5
    lanes: int = 8
    window: int = 16  # steps
    batch: int = 32  # windows
    trainer_frames: float = 670.0  # frames per second that training a world uses (measured for a 2.1M model)


def bench_recording(config: BenchRecordingConfig) -> None:
    """Print both ratios."""
    plan = RecordingPlan(
        game=game(config.game),
        policies={config.policy: policy_sha256(config.policy, config.game)},
        held_out={},
        epsilons=(0.0,),
        steps=config.lanes * config.episode_steps,
        test_episodes=0,
        validation=0.0,
        seed=0,
        lanes=config.lanes,
        max_episode_steps=config.episode_steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        _bench_recorder(config, plan, Path(folder))
        _bench_windows(config, plan, Path(folder) / "windows")


def _bench_recorder(config: BenchRecordingConfig, plan: RecordingPlan, folder: Path) -> None:
    player = Player(plan, partial(make_policy, config.game), folder)
    policy = make_policy(config.game, config.policy, 0.0)
    twins = [Twin(plan.spec) for _ in range(config.lanes)]
    bare, recorded = [], []
    for turn in range(config.rounds + 1):
        block = tuple(plan.training_episode(turn * config.lanes + lane) for lane in range(config.lanes))
        bare.append(_steps_per_second(partial(_step_bare, policy, twins, block)))
        recorded.append(_steps_per_second(partial(player.play, block, lambda steps: None)))
    player.close()
    for twin in twins:
        twin.close()
    # The first round warms up.
    ratios = [ours / theirs for ours, theirs in zip(recorded[1:], bare[1:], strict=True)]
    print(f"bare stepping  {statistics.median(bare[1:]):8.0f} steps/s")
    share = statistics.median(ratios)
    print(f"recording      {statistics.median(recorded[1:]):8.0f} steps/s, {share:.2f} of bare stepping")


def _bench_windows(config: BenchRecordingConfig, plan: RecordingPlan, root: Path) -> None:
    record(plan, partial(make_policy, config.game), root, progress=False)
    windows = Windows.open(root, "train", config.window)
    began, count = time.perf_counter(), 0
    for _, batch in islice(windows.stream(config.batch, workers=2), 100):
        count += len(batch.frames)
    per_second = count / (time.perf_counter() - began)
    used = config.trainer_frames / (config.window + 1)
    print(
        f"windows        {per_second:8.0f} a second, "
        f"{per_second / used:.0f} times the {used:.0f} a second that training uses"
    )


def _step_bare(policy: Policy, twins: list[Twin], block: Block) -> int:
    """What remains of recording when nothing is kept."""
    frames = {lane: twins[lane].reset(seed=episode.reset_seed)[0] for lane, episode in enumerate(block)}
    policy.reset(np.arange(len(block)), np.array([episode.policy_seed for episode in block]))
    steps = 0
    while frames:
        lanes = np.array(list(frames))
        actions = policy(np.stack(list(frames.values())), lanes)
        for lane, action in zip(lanes.tolist(), actions.tolist(), strict=True):
            frames[lane], _, terminated, truncated, _ = twins[lane].step(action)
            if terminated or truncated:
                del frames[lane]
        steps += len(lanes)
    return steps


def _steps_per_second(play: Callable[[], int]) -> float:
    began = time.perf_counter()
    steps = play()
    return steps / (time.perf_counter() - began)
