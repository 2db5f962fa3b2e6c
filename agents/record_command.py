"""The stage `neural-env record`: hands policies to data_gen's recorder.

neural-env record --game Pong --policies zoo/ppo-best random-hold --steps 10000 --workers 2 --out recordings/pong
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.zoo import record_sha256, resolve
from data_gen.behaviours import RandomHold
from data_gen.games import game
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.policy import Policy
from data_gen.recorder import record
from data_gen.recording import summed_steps
from world_model.training.allocator import one_thread


@dataclass(frozen=True)
class RecordConfig:
    """Record a game; run the same command again to finish an interrupted recording."""

    out: Path  # folder of the recording
    game: str = "Pong"
    policies: tuple[str, ...] = (RANDOM_HOLD,)  # zoo/<name>, a path without suffix, or random-hold
    held_out: tuple[str, ...] = ()  # further policies, for the test split alone
    epsilon: tuple[float, ...] = (0.0,)  # chance of a random action; episodes take turns
    steps: int = 10_000  # at least so many outside the test split
    test_episodes: int = 0
    validation: float = 0.05  # share of the episodes
    seed: int = 0
    workers: int = 1
    lanes: int = 8  # episodes side by side in a worker
    max_episode_steps: int | None = None


def record_game(config: RecordConfig) -> None:
    """Record, and say what came of it."""
    plan = RecordingPlan(
        game=game(config.game),
        policies={name: policy_sha256(name, config.game) for name in config.policies},
        held_out={name: policy_sha256(name, config.game) for name in config.held_out},
        epsilons=config.epsilon,
        steps=config.steps,
        test_episodes=config.test_episodes,
        validation=config.validation,
        seed=config.seed,
        lanes=config.lanes,
        max_episode_steps=config.max_episode_steps,
    )
    manifest = record(plan, partial(make_policy, config.game), config.out, config.workers)
    megabytes = sum(entry.bytes for entry in manifest.episodes) / 1e6
    print(
        f"{config.out}: {len(manifest.episodes)} episodes, {summed_steps(manifest.episodes)} steps, {megabytes:.1f} MB"
    )


def make_policy(game_name: str, name: str, epsilon: float) -> Policy:
    """The policy that a recording calls `name`; its own epsilon stands where the plan asks for less."""
    if name == RANDOM_HOLD:
        return RandomHold(game(game_name).num_actions)
    from agents.policy_file import load_policy, read_record

    one_thread()
    path = resolve(name, game_name)
    return load_policy(path, epsilon=max(epsilon, read_record(path).epsilon))


def policy_sha256(name: str, game_name: str) -> str:
    """The hash that stands for a policy in a plan; random-hold has none."""
    return "" if name == RANDOM_HOLD else record_sha256(resolve(name, game_name))
