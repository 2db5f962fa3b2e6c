"""The stage `neural-env loop`: the whole way from nothing, with a budget of real steps.

neural-env loop --game Pong --rounds 5 --real-steps 100000 --out loops/pong
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

from agents.algorithms import DQNConfig, PPOConfig
from agents.network import FrameNetworkConfig
from data_gen.atomic import write_atomically
from evaluation.loop.page import write_page
from evaluation.loop.rounds import Round, Setting, play_round
from neural_env.dream_options import DreamOptions


class OtherLoop(ValueError):
    """The folder holds another loop."""


@dataclass(frozen=True)
class LoopConfig:
    """Play, record, learn, dream, play better; the same command goes on where it was stopped."""

    out: Path
    game: str = "Pong"
    rounds: int = 5
    real_steps: int = 100_000  # that worlds and agents may learn from, all rounds together; judging is not counted
    recipe: Path | None = None  # JSON: how the first world is trained, as for `world train --config`
    refine: Path | None = None  # likewise, how it goes on in later rounds; default: as the first
    agent_steps: int = 200_000  # in the dream, each round
    episodes: int = 10  # games on each side by which the agent is judged after each round
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    dream: DreamOptions = field(default_factory=DreamOptions)  # how agents dream while they learn
    seed: int = 0
    workers: int = 1  # that record

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("agent_steps", 1), ("episodes", 1), ("real_steps", self.rounds)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}")


def loop(config: LoopConfig) -> None:
    """Do the rounds that are missing; after each, say what came of it and write the page."""
    _begin(config)
    setting = Setting(**{each.name: getattr(config, each.name) for each in fields(Setting)})
    done: list[Round] = []
    for number in range(config.rounds):
        done.append(play_round(setting, number))
        write_page(setting, done, config.out / "index.html")
        print(said(done[-1]))
    print(f"{config.out / 'index.html'}: every round, with videos")


def said(each: Round) -> str:
    """A round in one line."""
    low, high = each.real_interval
    return (
        f"round {each.number}: {each.real_steps:,} real steps, real return {each.real_return:+.2f} "
        f"({low:+.2f} to {high:+.2f}), in the dream {each.dream_return:+.2f}"
    )


def _begin(config: LoopConfig) -> None:
    """Refuse another loop's folder; how many work at it may change, and recipes count by what is in them."""
    plain = {each.name: getattr(config, each.name) for each in fields(config) if each.name not in ("out", "workers")}
    for name in ("recipe", "refine"):
        plain[name] = None if plain[name] is None else json.loads(plain[name].read_text())
    content = (json.dumps(plain, indent=1, sort_keys=True, default=_plain) + "\n").encode()
    file = config.out / "loop.json"
    if file.exists() and file.read_bytes() != content:
        raise OtherLoop(f"{file} is another loop (other settings or recipes); choose another --out")
    config.out.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content)


def _plain(value: object) -> object:
    return vars(value)
