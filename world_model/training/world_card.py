"""The card of a world that has just been trained: what is known of it before anyone has measured it."""

from __future__ import annotations

import platform
from pathlib import PurePath

import torch

from data_gen.recording import Recording, summed_steps
from world_model.card import CardFacts, DataFacts, TrainingFacts, card_markdown
from world_model.flops import flops_per_frame
from world_model.simulator import Simulator
from world_model.starts import Starts


def training_card(recording: Recording, simulator: Simulator, starts: Starts, training: TrainingFacts) -> str:
    """Its text; `neural-env world evaluate --card` and `bench world --card` add the figures."""
    entries = recording.entries("train")
    policies = tuple(sorted({_published(entry.policy) for entry in entries}))
    facts = CardFacts(
        DataFacts(recording.root.name, summed_steps(entries), len(entries), policies),
        training,
        evaluations=simulator.config.steps,
        flops_per_frame=flops_per_frame(simulator, starts.contexts()),
    )
    return card_markdown(facts, simulator.world)


def _published(policy: str) -> str:
    """What a card calls who played: it travels, and where on a machine a policy lay is nobody's business.

    Example:
        >>> _published("zoo/ppo-1"), _published("/home/me/runs/policies/step_00100000")
        ('zoo/ppo-1', 'step_00100000')
    """
    return PurePath(policy).name if PurePath(policy).is_absolute() else policy


def machine(processes: int) -> str:
    """What trains here, in words."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{platform.machine()} CPU with {processes * torch.get_num_threads()} threads"
