"""The whole report: play, record, compare, judge, write.

The folder of a run holds plan.json (what is measured: a run that was stopped goes on, another one is refused), the
episodes, the recording, and at the end gap.json, episodes.csv and index.html.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from data_gen.atomic import sweep_temporary, write_atomically
from evaluation.gap_report.closed_loop import measure_lanes
from evaluation.gap_report.contestants import Contestant, Playing, contestants, spread, zoo_sha256
from evaluation.gap_report.episodes import Table, to_csv
from evaluation.gap_report.events import measure_events
from evaluation.gap_report.gather import Setting, gather, parts
from evaluation.gap_report.matches import Matches, matches
from evaluation.gap_report.metric import TRACKS, Findings, Metric
from evaluation.gap_report.outcomes import measure_survival
from evaluation.gap_report.page import write_page
from evaluation.gap_report.pair import Pair
from evaluation.gap_report.profile import Profile
from evaluation.gap_report.recorded import from_recorded
from evaluation.gap_report.report import GapReport, digest
from evaluation.gap_report.returns import measure_returns
from evaluation.gap_report.sides import dream_options
from evaluation.gap_report.speed import measure_speed
from evaluation.gap_report.transfer import measure_transfer
from evaluation.gap_report.verdict import verdicts
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.registration import is_dream
from world_model.metrics.resampling import holm

_PLAYED = frozenset("ABCE")  # tracks that look at the table of episodes
_PACKAGES = ("neural-env", "ale-py", "gymnasium", "numpy", "torch")


class OtherRun(ValueError):
    """The folder holds another run."""


def measure(
    compared: Pair,
    zoo: Path | Mapping[str, Playing] | None,
    profile: Profile,
    tracks: Sequence[str],
    folder: Path,
    seed: int,
    workers: int,
    transfer: Path | None = None,
) -> GapReport:
    """All figures of these tracks; written to `folder`, and returned."""
    began = time.perf_counter()
    members = spread(contestants(zoo, compared.game, compared.num_actions), profile.policies)
    found = matches(compared, profile, seed)
    facts = _facts(compared, members, found, profile, seed)
    _begin(folder, {**facts, "tracks": list(tracks), "seed": seed})
    print(f"seed {seed}; {found.how}", flush=True)
    parts_found = [*_from_episodes(compared, members, found, profile, tracks, folder, seed, workers)]
    parts_found += from_recorded(compared, members, profile, tracks, folder, seed)
    if "F" in tracks:
        parts_found.append(measure_transfer(transfer, facts["dream"]["world"], profile.draws, seed))
    if "G" in tracks:
        parts_found.append(
            Findings(measure_speed(compared.dream, compared.real, found, compared.num_actions, profile.timed))
        )
    metrics = _corrected([metric for part in parts_found for metric in part.metrics])
    curves = {name: curve for part in parts_found for name, curve in part.curves.items()}
    for part in parts_found:
        facts.update(part.facts)
    report = GapReport(
        compared.dream.id,
        compared.real.id,
        compared.game,
        profile.name,
        tuple(tracks),
        seed,
        facts,
        metrics,
        verdicts({metric.key: metric for metric in metrics}, facts.get("mmrv_by_chance", np.nan)),
        curves,
        time.perf_counter() - began,
    )
    write_atomically(folder / "gap.json", report.to_json())
    pictures = {name: picture for part in parts_found for name, picture in part.pictures.items()}
    write_page(report, pictures, folder / "index.html")
    return report


def _corrected(metrics: list[Metric]) -> tuple[Metric, ...]:
    """In order of their tracks, with Holm's correction over all gap-closed scores."""
    ordered = sorted(metrics, key=lambda each: list(TRACKS).index(each.track))
    corrected = holm([each.p_of_one for each in ordered])
    return tuple(replace(each, p_of_one_holm=float(p)) for each, p in zip(ordered, corrected, strict=True))


# ---- the folder ----------------------------------------------------------------------------------------------------


def _facts(compared: Pair, members: list[Contestant], found: Matches, profile: Profile, seed: int) -> dict[str, Any]:
    return {
        "dream": {"id": compared.dream.id, **_inside(compared.dream)},
        "real": {"id": compared.real.id, "game": None if compared.spec is None else compared.spec.to_dict()},
        "zoo": {"sha256": zoo_sha256(members), "policies": {each.name: each.sha256 for each in members}},
        "sizes": asdict(profile),
        "starts": {"how": found.how, "first": list(found.starts[:4])},
        "actions": "policies draw or take the best as their records say, alike on every side",
        "versions": {package: version(package) for package in _PACKAGES},
    }


def _inside(spec: EnvSpec) -> dict[str, Any]:
    """World and sampler of a dream."""
    if not is_dream(spec):
        return {"world": None, "sampler": None}
    dream = Dream(DreamOptions.of(dream_options(spec)))
    sampler = asdict(dream.options.sampling(dream.shared.sampling))
    return {
        "world": dream.shared.digest,
        "sampler": sampler,
        "sampler_sha256": digest(json.dumps(sampler, sort_keys=True).encode()),
    }


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sweep_temporary(folder)
    content = (json.dumps(plan, indent=1, sort_keys=True) + "\n").encode()
    file = folder / "plan.json"
    if file.exists() and file.read_bytes() != content:
        raise OtherRun(f"{file} is another run (other ids, world, zoo, seed, sizes or versions); choose another --out")
    write_atomically(file, content)


# ---- from episodes -------------------------------------------------------------------------------------------------


def _from_episodes(
    compared: Pair,
    members: list[Contestant],
    found: Matches,
    profile: Profile,
    tracks: Sequence[str],
    folder: Path,
    seed: int,
    workers: int,
) -> list[Findings]:
    if not _PLAYED & set(tracks):
        return []
    setting = Setting(tuple(members), compared.game, profile.max_steps, profile.watched, seed)
    todo = parts(compared.dream, compared.real, found, members, profile)
    episodes = gather(todo, setting, folder / "episodes", workers)
    write_atomically(folder / "episodes.csv", to_csv(episodes))
    table = Table(episodes, [each.name for each in members])
    findings = []
    if "A" in tracks:
        findings.append(measure_returns(table, members, profile.draws, seed))
    if "B" in tracks:
        findings.append(measure_events(table, profile.draws, seed))
    if "C" in tracks:
        findings.append(Findings(measure_lanes(table, profile.draws, seed)))
    if "E" in tracks:
        findings.append(Findings(measure_survival(table)))
    return findings
