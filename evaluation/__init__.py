"""evaluation: how good a world is, how fast, and how far a dream is from its game. It sees everything, nothing sees it.

from evaluation import gap
report = gap("Dream/Pong-v0", "Real/Pong-v0", profile="smoke")
print(report.to_text())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.gap_report.contestants import Playing
    from evaluation.gap_report.profile import Profile
    from evaluation.gap_report.report import GapReport

__all__ = ["gap"]


def gap(
    dream: str,
    real: str,
    zoo: str | Path | Mapping[str, Playing] | None = None,
    profile: str | Profile = "smoke",
    *,
    tracks: Sequence[str] = ("A", "B", "C", "D", "E", "F", "G"),
    world: str | None = None,
    out: str | Path = "gap",
    seed: int = 0,
    workers: int = 1,
    transfer: str | Path | None = None,
) -> GapReport:
    """How far the environment `dream` is from the environment `real`, by the same frozen policies in both.

    Args:
        dream: an environment id; a dream of this package can be looked into, anything else is only played.
        real: an environment id with the same spaces.
        zoo: a folder of policy files, or policies by name (`data_gen.policy.Policy`, or functions of frames); None:
            the zoo of the game. One called "random" has the normalised return 0.
        profile: "smoke", "standard", "full", or sizes of your own.
        tracks: which to measure.
        world: a folder or hf:organisation/name@revision; the dream's, or the one whose starts a twin in its place has.
        out: folder of the run; one that was stopped goes on.
        seed: everything that is drawn follows from it.
        workers: processes that play; callables are played in this one.
        transfer: the folder of `neural-env transfer`, for track F.

    Example:
        >>> gap("Dream/Pong-v0", "Real/Pong-v0", profile="huge")
        Traceback (most recent call last):
            ...
        evaluation.gap_report.command.UnknownChoice: profile is 'huge'; expected smoke, standard, full or a Profile
    """
    from evaluation.gap_report.command import gap_of

    return gap_of(
        dream, real, zoo, profile, tracks, world, out, seed, workers, None if transfer is None else Path(transfer)
    )
