"""The stage `neural-env gap`: how far a dream is from its game.

neural-env gap Pong --world runs/pong/world --profile smoke --out reports/gap
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from data_gen.registration import twin_id
from evaluation.gap_report.contestants import Playing
from evaluation.gap_report.metric import TRACKS
from evaluation.gap_report.pair import pair
from evaluation.gap_report.profile import PROFILES, Profile, ProfileName
from evaluation.gap_report.report import GapReport
from evaluation.gap_report.run import measure
from neural_env.registration import dream_id


class UnknownChoice(ValueError):
    """A track or profile that does not exist."""


@dataclass(frozen=True)
class GapConfig:
    """Measure how far a dream is from the real game, with the same frozen policies in both."""

    game: tyro.conf.Positional[str]  # such as Pong: Dream/Pong-v0 against Real/Pong-v0
    dream: str | None = None  # any other environment id in the dream's place
    real: str | None = None  # any other id in the real game's place
    world: str | None = None  # a folder or hf:organisation/name@revision; of the dream, or for a twin's starts
    zoo: Path | None = None  # a folder of policy files; default: the zoo of the game
    profile: ProfileName = "smoke"
    tracks: str = ",".join(TRACKS)  # which to measure
    transfer: Path | None = None  # the folder of `neural-env transfer`, for track F
    out: Path | None = None  # default: gap/<game>-<profile>
    seed: int = 0
    workers: int = 2  # processes that play


def gap_command(config: GapConfig) -> None:
    """Measure, write gap.json, episodes.csv and index.html, and print the headline box."""
    out = config.out or Path("gap") / f"{config.game.lower()}-{config.profile}"
    report = gap_of(
        config.dream or dream_id(config.game),
        config.real or twin_id(config.game),
        zoo=config.zoo,
        profile=config.profile,
        tracks=[track.strip() for track in config.tracks.split(",")],
        world=config.world,
        out=out,
        seed=config.seed,
        workers=config.workers,
        transfer=config.transfer,
    )
    print(report.to_text())
    print(f"{out / 'index.html'}: all figures, with pictures; {report.seconds:.0f} s")


def gap_of(
    dream: str,
    real: str,
    zoo: str | Path | Mapping[str, Playing] | None,
    profile: str | Profile,
    tracks: Sequence[str],
    world: str | None,
    out: str | Path,
    seed: int,
    workers: int,
    transfer: Path | None,
) -> GapReport:
    """See `evaluation.gap`."""
    if isinstance(profile, str) and profile not in PROFILES:
        raise UnknownChoice(f"profile is {profile!r}; expected smoke, standard, full or a Profile")
    if wrong := [track for track in tracks if track not in TRACKS]:
        raise UnknownChoice(f"there is no track {', '.join(map(repr, wrong))}; expected some of {','.join(TRACKS)}")
    return measure(
        pair(dream, real, world),
        Path(zoo) if isinstance(zoo, str) else zoo,
        PROFILES[profile] if isinstance(profile, str) else profile,
        [track for track in TRACKS if track in tracks],
        Path(out),
        seed,
        workers,
        transfer,
    )
