"""The stage `neural-env transfer`: agents trained in the dream, and the controls that say what that was worth.

neural-env transfer Pong --seeds 3 --steps 1000000 --data recordings/pong-world --out transfer/pong
neural-env gap Pong --transfer transfer/pong
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from evaluation.transfer.arms import dreamt_world
from evaluation.transfer.outcome import ARMS, FILE, Arm, Outcome, write_outcome
from evaluation.transfer.pictures import draw_outcome
from evaluation.transfer.run import run_all
from evaluation.transfer.setting import RunsConfig, Setting, Unready, real_steps_in
from evaluation.transfer.table import table

_NEEDS_DATA: tuple[Arm, ...] = ("matched", "clone")


@dataclass(frozen=True)
class TransferConfig(RunsConfig):
    """Train the same agent in the dream and in the real game, and score all of them in the real game."""

    data: Path | None = None  # the recording that the world has learned from; without it, two controls are left out
    arms: str = ",".join(ARMS)  # which to run
    clone_steps: int = 6000  # of imitation


def transfer(config: TransferConfig) -> None:
    """Run what is missing, write transfer.json and transfer.png, and print the table."""
    setting = _setting(config)
    chosen = _arms(config)
    for arm in chosen:
        setting.require(arm)
    wanted = [(setting, arm, seed) for arm, seed in itertools.product(chosen, range(config.seeds))]
    outcome = Outcome(
        config.game,
        setting.dream_id,
        setting.real_id,
        dreamt_world(setting),
        config.algo.name,
        setting.in_words,
        config.steps,
        setting.real_steps,
        tuple(run_all(wanted, config.workers)),
    )
    write_outcome(outcome, setting.out)
    draw_outcome(outcome, setting.out)
    print(table(outcome))
    print(f"{setting.out / FILE}: all returns; neural-env gap {config.game} --transfer {setting.out} reports them")


def _setting(config: TransferConfig) -> Setting:
    return Setting(
        config,
        out=config.out or Path("transfer") / config.game.lower(),
        data=config.data,
        real_steps=None if config.data is None else real_steps_in(config.data),
        clone_steps=config.clone_steps,
    )


def _arms(config: TransferConfig) -> list[Arm]:
    wanted = [arm.strip() for arm in config.arms.split(",")]
    if wrong := [arm for arm in wanted if arm not in ARMS]:
        raise Unready(f"there is no arm {', '.join(map(repr, wrong))}; expected some of {','.join(ARMS)}")
    return [arm for arm in ARMS if arm in wanted and (config.data is not None or arm not in _NEEDS_DATA)]
