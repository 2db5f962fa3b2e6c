"""How much is played and drawn: three profiles, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

ProfileName = Literal["smoke", "standard", "full"]


@dataclass(frozen=True)
class Profile:
    """The sizes of a gap report."""

    name: str
    episodes: int  # of each policy, in the real game, in the real game again, and in the dream
    null_episodes: int  # of each policy in the dream with shuffled actions; 0: none are played
    max_steps: int | None  # at which all sides are cut; None: games are played to their end
    watched: int  # episodes of each policy whose pictures are read (ball, score), where the game can be read
    recorded: int  # real games of each policy, recorded for what compares frames
    recorded_steps: int | None  # at which they are cut; None: games are played to their end
    forced: int  # windows of 16 steps, foretold one by one
    rollouts: int  # open loop
    horizon: int  # steps of open loop
    starts: int  # from each of which every action is held
    inverse_steps: int  # training steps of the inverse-dynamics model
    timed: float  # seconds that each side is timed
    draws: int = 2000  # of every bootstrap
    policies: int | None = None  # of the zoo at most; None: all


_SMOKE = Profile(
    name="smoke",
    episodes=4,
    null_episodes=0,
    max_steps=1_000,
    watched=1,
    recorded=2,
    recorded_steps=200,
    forced=24,
    rollouts=24,
    horizon=64,
    starts=8,
    inverse_steps=200,
    timed=1.0,
    draws=1_000,
    policies=12,
)
_STANDARD = Profile(
    name="standard",
    episodes=100,
    null_episodes=20,
    max_steps=None,
    watched=4,
    recorded=8,
    recorded_steps=None,
    forced=128,
    rollouts=512,
    horizon=256,
    starts=64,
    inverse_steps=1_500,
    timed=5.0,
    policies=12,
)
_FULL = replace(
    _STANDARD,
    name="full",
    null_episodes=100,
    watched=16,
    recorded=18,
    forced=2_048,
    starts=256,
    inverse_steps=6_000,
    timed=20.0,
    policies=None,
)
PROFILES: dict[str, Profile] = {each.name: each for each in (_SMOKE, _STANDARD, _FULL)}
