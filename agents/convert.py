"""The stage `neural-env agent convert`: an SB3 archive becomes a policy file.

SB3 archives are pickles: opening one runs whatever code its author put there. Nothing else in this package opens one,
and this only with `--trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from stable_baselines3 import DQN, PPO

from agents.export import export_policy
from agents.network import FrameFeatures


@dataclass(frozen=True)
class ConvertConfig:
    """Convert an SB3 zip that was trained with this package's network."""

    archive: tyro.conf.Positional[Path]
    out: Path  # path of the policy, without suffix
    algo: Literal["ppo", "dqn"] = "ppo"
    trust: bool = False  # I know who made this archive; loading it runs code


def convert(config: ConvertConfig) -> None:
    """Load the archive, if it is trusted, and write the policy."""
    if not config.trust:
        raise ValueError(
            f"{config.archive} is a pickle inside a zip: loading it runs code. Add --trust if you know who made it."
        )
    agent: PPO | DQN = (PPO if config.algo == "ppo" else DQN).load(config.archive, device="cpu")
    extractor = agent.policy.features_extractor if isinstance(agent, PPO) else agent.q_net.features_extractor
    if not isinstance(extractor, FrameFeatures):
        raise ValueError(
            f"{config.archive} uses {type(extractor).__name__}; only {FrameFeatures.__name__} can be converted"
        )
    export_policy(agent, config.out, extractor.config, {"converted_from": config.archive.name})
    print(f"{config.out}.json, {config.out}.safetensors")
