"""The stage `neural-env agent zoo`: the frozen policies of a game, with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from agents.zoo import Role, zoo


@dataclass(frozen=True)
class ZooConfig:
    """List the zoo of a game."""

    game: str = "Pong"


def list_zoo(config: ZooConfig) -> None:
    """Print each policy with its return on the twin, and its role."""
    policies = {name: policy for role in get_args(Role) for name, policy in zoo(config.game, role).items()}
    if not policies:
        print(f"no zoo for {config.game} yet; train agents with: neural-env agent train --env Real/{config.game}-v0")
        return
    print(f"{'policy':<26}{'return':>8}{'95 % interval':>19}{'episodes':>10}{'normalised':>12}  role")
    for name, policy in policies.items():
        low, high = policy.score["interval_95"]
        role = policy.role + (", held out from recording" if policy.held_out else "")
        print(
            f"zoo/{name:<22}{policy.score['mean_return']:>+8.2f}{f'{low:+.2f} to {high:+.2f}':>19}"
            f"{policy.score['episodes']:>10}{policy.normalised:>12.2f}  {role}"
        )
