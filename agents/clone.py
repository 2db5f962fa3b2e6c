"""The stage `neural-env agent clone`: a policy that imitates the actions of a recording, seeing what agents see.

    neural-env agent clone --data recordings/pong --out runs/imitator

What learning without a dream makes of the same data. Run again, it goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agents.evaluate import evaluate
from agents.frozen import PolicyHead
from agents.network import FrameNetworkConfig
from agents.policy_file import PolicyRecord, load_policy, save_policy
from agents.view import View
from data_gen.recording import Recording
from data_gen.registration import twin_id
from data_gen.split_cache import NoWindows, WindowBatch
from data_gen.windows import Windows
from world_model.plain_config import to_plain
from world_model.training.draws import Draws
from world_model.training.fit import FitConfig, fit
from world_model.training.keeper import HeldOut

_JUDGED_ON = 2048  # held-out steps


@dataclass(frozen=True)
class CloneConfig:
    """Imitate what was played in a recording."""

    data: Path  # the recording
    out: Path  # the run's folder; the policy is <out>/policy
    fit: FitConfig = field(
        default_factory=lambda: FitConfig(batch=256, steps=6000, learning_rate=1e-3, evaluate_every=500)
    )
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    episodes: int = 30  # of the real game that the result is scored on; 0: none
    first_seed: int = 10_000_000


def clone(config: CloneConfig) -> None:
    """Train, write the policy, and score it in the real game."""
    recording = Recording.open(config.data)
    game = recording.manifest.game
    if game is None:
        raise ValueError(f"{config.data} is an imported video: nobody knows its actions, so none can be imitated")
    view = View(config.network.size, config.network.stack)
    windows = Windows(recording, "train", view.stack, config.fit.seed, progress=True)
    torch.manual_seed(config.fit.seed)  # of the first weights
    head = PolicyHead(config.network, game.num_actions)
    about = {"data": windows.key, "network": to_plain(config.network)}
    judge = _judge(recording, view)
    result = fit(Imitation(head), Stacks(windows, view), config.fit, config.out, held_out=judge, about=about)
    result.average.copy_to(head)
    training: dict[str, Any] = {"data": windows.key, "steps": result.step, "batch": config.fit.batch}
    record = PolicyRecord(
        kind="network", num_actions=game.num_actions, algorithm="clone", network=config.network, training=training
    )
    path = config.out / "policy"
    if config.episodes:
        with tempfile.TemporaryDirectory() as ungraded:  # whoever is killed here leaves no policy without a grade
            save_policy(Path(ungraded, path.name), record, head.state_dict())
            policy = load_policy(Path(ungraded, path.name))
        score = evaluate(policy, twin_id(game.name), config.episodes, config.first_seed)
        training["evaluation"] = score.to_dict()
        print(f"{path}: mean return {score.mean:+.2f} over {config.episodes} games of {twin_id(game.name)}")
    save_policy(path, dataclasses.replace(record, training=training), head.state_dict())


class Imitation:
    """Say what was done, seeing what an agent would have seen."""

    def __init__(self, head: PolicyHead) -> None:
        self.module: nn.Module = head

    def losses(self, batch: tuple[Tensor, Tensor], draws: Draws) -> dict[str, Tensor]:
        """See `Task`."""
        stacks_BSHW, actions_B = batch
        scores_BA = self.module(stacks_BSHW)
        right = (scores_BA.argmax(1) == actions_B).float().mean()
        return {"loss": F.cross_entropy(scores_BA, actions_B), "accuracy": right}


class Stacks:
    """Windows as an agent sees them, with the action that was chosen then."""

    def __init__(self, windows: Windows, view: View) -> None:
        self._windows, self._view = windows, view

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor]:
        """See `Source`."""
        return stacks_of(self._windows.batch(position, size), self._view)


def stacks_of(batch: WindowBatch, view: View) -> tuple[Tensor, Tensor]:
    """The stacks [B, stack, size, size] before the last action of each window, and these actions [B]."""
    seen = batch.frames[:, :-1]
    gray = np.stack([view.gray(frame) for frame in seen.reshape(-1, *seen.shape[2:])])
    return torch.from_numpy(gray.reshape(*seen.shape[:2], view.size, view.size)), torch.from_numpy(batch.actions[:, -1])


def _judge(recording: Recording, view: View) -> HeldOut | None:
    try:
        windows = Windows(recording, "validation", view.stack, seed=0)
    except NoWindows:
        return None
    stacks_BSHW, actions_B = stacks_of(windows.batch(0, _JUDGED_ON), view)

    def figures(module: nn.Module) -> dict[str, float]:
        scores_BA = torch.cat([module(part) for part in torch.split(stacks_BSHW, 256)])
        right = (scores_BA.argmax(1) == actions_B).float().mean()
        return {"loss": float(F.cross_entropy(scores_BA, actions_B)), "accuracy": float(right)}

    return HeldOut(figures, "loss")
