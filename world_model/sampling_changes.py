"""How a user wants a world to be run, where it is to differ from what the world recommends."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from world_model.simulator import SimulatorConfig


@dataclass(frozen=True)
class SamplingChanges:
    """What is None stays as the world recommends; the meanings are those of `SimulatorConfig`."""

    steps: int | None = None  # evaluations of the head for a frame
    temperature: float | None = None
    guidance: float | None = None
    context_noise: float | None = None
    reward: Literal["sample", "mode"] | None = None

    def applied(self, recommended: SimulatorConfig) -> SimulatorConfig:
        """The recommendation with these changes.

        Example:
            >>> SamplingChanges(steps=4).applied(SimulatorConfig(temperature=0.5))
            SimulatorConfig(steps=4, temperature=0.5, guidance=1.0, context_noise=0.0, reward='sample')
        """
        wanted = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return dataclasses.replace(recommended, **wanted)
