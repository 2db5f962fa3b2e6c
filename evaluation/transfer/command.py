"""The stage `neural-env transfer`: agents trained in the dream, and the controls that say what that was worth.

neural-env transfer Pong --seeds 3 --steps 1000000 --data recordings/pong-world --out transfer/pong
neural-env gap Pong --transfer transfer/pong
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.algorithms import DQNConfig, PPOConfig
from agents.network import FrameNetworkConfig
from data_gen.registration import twin_id
from evaluation.transfer.arms import Setting, Unready, dreamt_world, real_steps_in
from evaluation.transfer.outcome import ARMS, FILE, Arm, Outcome, write_outcome
from evaluation.transfer.pictures import draw_outcome
from evaluation.transfer.run import run_all
from evaluation.transfer.table import table
from neural_env.dream_options import DreamOptions
from neural_env.registration import dream_id
from world_model.plain_config import to_plain

_NEEDS_DATA: tuple[Arm, ...] = ("matched", "clone")


@dataclass(frozen=True)
class TransferConfig:
    """Train the same agent in the dream and in the real game, and score all of them in the real game."""

    game: tyro.conf.Positional[str]  # such as Pong: Dream/Pong-v0 and Real/Pong-v0
    out: Path | None = None  # default: transfer/<game>
    data: Path | None = None  # the recording that the world has learned from; without it, two controls are left out
    steps: int = 1_000_000  # of each run
    seeds: int = 3  # runs of each arm
    episodes: int = 100  # real games that each run's policy is scored on
    arms: str = ",".join(ARMS)  # which to run
    dream: DreamOptions = field(default_factory=DreamOptions)  # how the dream is dreamed
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    judged: int = 10  # times that a run is judged on its way
    judged_episodes: int = 3  # games on each side, each time
    first_seed: int = 60_000_000  # of the real games at the end
    clone_steps: int = 6000  # of imitation
    workers: int = 2  # runs at a time


def transfer(config: TransferConfig) -> None:
    """Run what is missing, write transfer.json and transfer.png, and print the table."""
    setting = setting_of(config)
    chosen = _arms(config)
    for arm in chosen:
        setting.require(arm)
    runs = run_all(setting, list(itertools.product(chosen, range(config.seeds))), config.workers)
    outcome = Outcome(
        config.game,
        setting.dream_id,
        setting.real_id,
        dreamt_world(setting),
        config.algo.name,
        setting.settings,
        config.steps,
        setting.real_steps,
        tuple(runs),
    )
    write_outcome(outcome, setting.out)
    draw_outcome(outcome, setting.out)
    print(table(outcome))
    print(f"{setting.out / FILE}: all returns; neural-env gap {config.game} --transfer {setting.out} reports them")


def setting_of(config: TransferConfig) -> Setting:
    """What all runs have in common."""
    return Setting(
        out=config.out or Path("transfer") / config.game.lower(),
        dream_id=dream_id(config.game),
        real_id=twin_id(config.game),
        data=config.data,
        real_steps=None if config.data is None else real_steps_in(config.data),
        steps=config.steps,
        episodes=config.episodes,
        dream=config.dream,
        algo=config.algo,
        settings=_in_words(config),
        network=config.network,
        judged=config.judged,
        judged_episodes=config.judged_episodes,
        first_seed=config.first_seed,
        clone_steps=config.clone_steps,
    )


def _in_words(config: TransferConfig) -> str:
    """The algorithm's settings in one line."""
    return ", ".join(f"{name} {value}" for name, value in to_plain(config.algo).items() if name != "name")


def _arms(config: TransferConfig) -> list[Arm]:
    wanted = [arm.strip() for arm in config.arms.split(",")]
    if wrong := [arm for arm in wanted if arm not in ARMS]:
        raise Unready(f"there is no arm {', '.join(map(repr, wrong))}; expected some of {','.join(ARMS)}")
    return [arm for arm in ARMS if arm in wanted and (config.data is not None or arm not in _NEEDS_DATA)]
