"""The stage `neural-env world evaluate`: how good a world is, on games that it has not learned from.

neural-env world evaluate --world runs/pong/world --data recordings/pong --out reports/pong --profile quick

Writes report.md, report.json and pictures of the curves; prints the table. The world is sampled as it recommends, but
for `--sampling.*`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from data_gen.atomic import write_atomically
from data_gen.recording import Recording
from data_gen.spec import GameSpec
from data_gen.twin import Twin
from evaluation.closed_loop import play
from evaluation.held_out import HeldOutGame, consecutive_stretches, held_out_games, random_stretches, some
from evaluation.report import Part, Report, table
from evaluation.sights import Sight, sight
from evaluation.step_time import constant_cost
from evaluation.world_control import HELD_STEPS, measure_control
from evaluation.world_forced import measure_forced
from evaluation.world_futures import FUTURES_STEPS, measure_futures
from evaluation.world_lanes import lane_policies, lanes_part, recorded_log
from evaluation.world_open_loop import HORIZON, measure_open_loop
from evaluation.world_plots import plot_curves
from evaluation.world_targets import world_targets
from evaluation.world_tokenizer import measure_tokenizer, rebuilt
from neural_env.dream_vector import DreamVectorEnv
from world_model.bundle import LoadedWorld, load_world
from world_model.card import put_into_card
from world_model.hub import resolve_world
from world_model.sampling_changes import SamplingChanges
from world_model.simulator import Simulator


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    games: int | None  # held-out ones; None: all
    frames: int  # for the tokenizer
    forced_steps: int | None  # one step at a time; None: all
    windows: int  # open-loop rollouts
    futures: int  # moments of which many are dreamt
    starts: int  # at each of which every action is held
    lanes: int  # of the closed loop
    lane_steps: int  # of all lanes together
    late_step: int  # of which the time is compared with that of an early one; 0: not


_PROFILES = {
    "quick": Sizes(4, 512, 2_000, 32, 16, 16, 16, 2_400, 0),
    "full": Sizes(None, 16_384, None, 512, 512, 256, 64, 288_000, 10_000),
}
_FORCED_STEPS = 128  # in a row


@dataclass(frozen=True)
class WorldEvaluateConfig:
    """Measure a world on held-out games: pictures, rewards, control, long dreams."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    data: Path  # a recording of the same game
    out: Path  # folder of the report
    split: Literal["test", "validation"] = "test"
    profile: Literal["quick", "full"] = "full"  # gives every size that is not asked for
    games: int | None = None  # held-out games to measure on
    frames: int | None = None  # to reconstruct
    forced_steps: int | None = None  # to foretell one by one from what was real
    windows: int | None = None  # open-loop rollouts
    futures: int | None = None  # moments of which many futures are dreamt
    starts: int | None = None  # at each of which every action is held
    lanes: int | None = None  # of the closed loop
    lane_steps: int | None = None  # of all lanes together
    late_step: int | None = None  # whose time is compared with that of step 100; 0: do not
    batch: int = 64  # lanes computed at once
    seed: int = 0
    card: bool = False  # also put the table into the world's own card
    device: str = "cpu"
    sampling: SamplingChanges = field(default_factory=SamplingChanges)

    @property
    def sizes(self) -> Sizes:
        """The profile's, with those that are asked for."""
        asked = {each.name: getattr(self, each.name) for each in dataclasses.fields(Sizes)}
        return dataclasses.replace(_PROFILES[self.profile], **{k: v for k, v in asked.items() if v is not None})


def evaluate_world(config: WorldEvaluateConfig) -> None:
    """Measure, write the report and print its table."""
    began = time.perf_counter()
    folder = resolve_world(config.world)
    world = load_world(folder)
    recording = Recording.open(config.data)
    game = world.world.config.game
    games = held_out_games(recording, config.split, game, config.sizes.games, config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    assert recording.manifest.game is not None  # a recording without a game has no held-out games
    parts = list(_parts(config, folder, world, recording.manifest.game, games, sight(game.name)))
    targets = world_targets(game.name)
    rows = [row.aimed_at(targets) for part in parts for row in part.rows]
    curves = {name: curve for part in parts for name, curve in part.curves.items()}
    facts = _facts(config, world, recording, games, time.perf_counter() - began)
    report = Report(f"The world of {game.name}, measured", facts, rows, curves)
    pictures = plot_curves(curves, config.out)
    write_atomically(config.out / "report.json", report.to_json())
    write_atomically(config.out / "report.md", report.to_markdown(pictures).encode())
    if config.card:
        put_into_card(folder, "Quality", f"On {facts['recording']}, by `neural-env world evaluate`.\n\n{table(rows)}")
    print(table(rows))
    reached = sum(row.verdict == "passed" for row in rows)
    print(f"\n{config.out / 'report.md'}: {reached} of {sum(row.target is not None for row in rows)} targets reached")


def _parts(
    config: WorldEvaluateConfig,
    folder: Path,
    world: LoadedWorld,
    recorded_game: GameSpec,
    games: list[HeldOutGame],
    seen: Sight | None,
) -> Iterator[Part]:
    """One way of measuring after the other."""
    sizes, seed, batch = config.sizes, config.seed, config.batch
    reach = world.world.config.dynamics.reach
    sampling = config.sampling.applied(world.simulator)
    simulator = Simulator(world.world.to(config.device), sampling)
    frames = random_stretches(games, 1, sizes.frames, seed)
    yield measure_tokenizer(world.world.tokenizer, frames, seen, batch, config.device)
    forced = consecutive_stretches(games, _FORCED_STEPS)
    count = None if sizes.forced_steps is None else -(-sizes.forced_steps // _FORCED_STEPS)
    yield measure_forced(simulator, some(forced, count, seed), reach, batch, seed)
    windows = random_stretches(games, _horizon(games), sizes.windows, seed)
    yield measure_open_loop(simulator, windows, seen, reach, batch, seed)
    at_one = Simulator(simulator.world, dataclasses.replace(sampling, steps=1))
    moments = random_stretches(games, min(FUTURES_STEPS, _horizon(games)), sizes.futures, seed)
    painted = partial(rebuilt, world.world.tokenizer, device=config.device)
    yield measure_futures({sampling.steps: simulator, 1: at_one}, painted, moments, reach, batch, seed)
    if seen is not None and seen.own is not None:
        starts = random_stretches(games, HELD_STEPS, sizes.starts, seed)
        # As the user's own recording describes it: a world that came from elsewhere names no emulator of ours to load.
        twin = Twin(recorded_game)
        yield measure_control(simulator, twin, starts, seen.read, seen.own, reach, batch, seed)
        twin.close()
    yield _lanes(config, folder, world, games, seen)
    if sizes.late_step:
        yield constant_cost(simulator, world.starts[0].context, sizes.late_step)


def _horizon(games: list[HeldOutGame]) -> int:
    """Steps of open loop: fewer where games are short."""
    return max(1, min(HORIZON, int(np.median([len(game) for game in games])) // 2))


def _lanes(
    config: WorldEvaluateConfig, folder: Path, world: LoadedWorld, games: list[HeldOutGame], seen: Sight | None
) -> Part:
    game, sizes = world.world.config.game, config.sizes
    changes = {name: value for name, value in dataclasses.asdict(config.sampling).items() if value is not None}
    has_beginnings = any(start.kind == "beginning" for start in world.starts)
    envs = DreamVectorEnv(
        sizes.lanes,
        folder,
        autoreset_mode="SameStep",
        start="episode" if has_beginnings else "anywhere",
        device=config.device,
        **changes,
    )
    steps = -(-sizes.lane_steps // sizes.lanes)
    logs = play(envs, lane_policies(game), steps, seen, config.seed)
    envs.close()
    return lanes_part(logs, [recorded_log(each, seen) for each in games], game, seen)


def _facts(
    config: WorldEvaluateConfig, world: LoadedWorld, recording: Recording, games: list[HeldOutGame], seconds: float
) -> dict[str, Any]:
    sampling = config.sampling.applied(world.simulator)
    where = torch.cuda.get_device_name() if config.device.startswith("cuda") else f"{torch.get_num_threads()} threads"
    return {
        "world": world.digest,
        "recording": f"{recording.root.name}, {config.split} split, {len(games)} games",
        "sampling": ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(sampling).items()),
        "sizes": ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(config.sizes).items()),
        "seed": config.seed,
        "machine": f"{config.device}, {where}",
        "minutes": round(seconds / 60, 1),
        "intervals": "95 %, by drawing whole episodes (lanes in the closed loop)",
    }
