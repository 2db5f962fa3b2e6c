"""Dream on from a moment and look at it.

neural-env world rollout --world runs/pong/world --start 5 --actions moves.txt --out dream.mp4
neural-env world rollout --world runs/pong/world --start recordings/pong --first 100 --out real_and_dream.mp4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_gen.policy import Frames
from data_gen.recording import Recording
from data_gen.show import write_video
from world_model.action_script import read_actions
from world_model.bundle import LoadedWorld, load_world
from world_model.hub import resolve_world
from world_model.rollout_video import side_by_side
from world_model.sampling_changes import SamplingChanges
from world_model.simulator import Context, Simulator


@dataclass(frozen=True)
class RolloutConfig:
    """Write the video of a dream; beside the real game where the start is a moment of a recording."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    out: Path  # ends in .mp4 or .gif
    start: str = "0"  # number of one of the world's starts, a picture of the game, or a recording
    split: str = "test"  # of the recording
    episode: int | None = None  # within the split; default: drawn by the seed
    first: int | None = None  # frame of the episode that the dream begins at; default: drawn by the seed
    actions: Path | None = None  # a file of actions; default: the recording's ticks, or nothing but the first action
    steps: int | None = None  # default: as many as there are actions, at most 256 of a recording
    seed: int = 0  # of the dream, and of the moment where none is named
    sampling: SamplingChanges = field(default_factory=SamplingChanges)


@dataclass(frozen=True)
class _Moment:
    """Where the dream begins, and what the real game went on to do."""

    context: Context
    executed_TK: npt.NDArray[np.int64]
    real_THWC: Frames | None
    told: str = ""  # which moment it is


_STEPS = 256


def rollout(config: RolloutConfig) -> None:
    """Write the video and say what it shows."""
    world = load_world(resolve_world(config.world))
    moment = _moment(config, world)
    executed_TK = moment.executed_TK if config.actions is None else _held(config.actions, world)
    real_THWC = moment.real_THWC if config.actions is None else None
    if config.steps is not None:
        executed_TK = executed_TK[: config.steps]
    simulator = Simulator(world.world, config.sampling.applied(world.simulator))
    totals: list[float] = [0.0]
    pictures = _pictures(simulator, moment.context, executed_TK, real_THWC, config.seed, totals)
    write_video(config.out, tqdm(pictures, total=len(executed_TK), unit="frame"), world.world.config.game.render_fps)
    shown = "dream" if real_THWC is None else "real | dream"
    print(f"{config.out}: {shown}, {len(executed_TK)} steps, {totals[0]:+g} points in the dream{moment.told}")


def _pictures(
    simulator: Simulator,
    context: Context,
    executed_TK: npt.NDArray[np.int64],
    real_THWC: Frames | None,
    seed: int,
    totals: list[float],
) -> Iterator[Frames]:
    state, _ = simulator.start([context], [seed])
    for t, executed_K in enumerate(executed_TK):
        state, step = simulator.step(state, executed_K[None])
        totals[0] += float(step.rewards[0])
        columns = [step.frames] if real_THWC is None else [real_THWC[t : t + 1], step.frames]
        yield side_by_side(*columns)


def _moment(config: RolloutConfig, world: LoadedWorld) -> _Moment:
    ticks = world.world.config.game.ticks_per_step
    idle_TK = np.zeros((config.steps or _STEPS, ticks), np.int64)
    if config.start.isdecimal():
        if int(config.start) >= len(world.starts):
            raise ValueError(f"there is no start {config.start}; {config.world} has 0 to {len(world.starts) - 1}")
        return _Moment(world.starts[int(config.start)].context, idle_TK, None)
    if Path(config.start).is_dir():
        return _recorded(config, world)
    frame = np.asarray(iio.imread(config.start))
    expected = (*world.world.config.game.frame_size, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise ValueError(f"{config.start} is a picture of {frame.shape} {frame.dtype}; expected {expected} uint8")
    return _Moment(Context(frame[None], np.zeros((0, ticks), np.int64)), idle_TK, None)


def _recorded(config: RolloutConfig, world: LoadedWorld) -> _Moment:
    recording = Recording.open(config.start)
    entries, generator = recording.entries(config.split), np.random.default_rng(config.seed)
    number = int(generator.integers(max(1, len(entries)))) if config.episode is None else config.episode
    if not 0 <= number < len(entries):
        raise ValueError(f"no episode {number} in {config.split} of {config.start}; it has {len(entries)}")
    episode = recording.load(entries[number])
    if episode.executed is None:
        raise ValueError(f"{config.start} is an imported video: nobody knows what was played in it")
    steps = config.steps or _STEPS
    # Where it is drawn, the real game goes on for all of the steps if it is long enough.
    first = int(generator.integers(max(1, len(episode) + 1 - steps))) if config.first is None else config.first
    if not 0 <= first < len(episode):
        raise ValueError(f"first is {first}; the episode has frames 0 to {len(episode) - 1} to go on from")
    begin = max(0, first + 1 - world.world.config.dynamics.reach)
    context = Context(episode.frames[begin : first + 1], episode.executed[begin:first])
    stop = min(len(episode), first + steps)
    told = f"; from frame {first} of episode {number} in {config.split}, seed {config.seed}"
    return _Moment(context, episode.executed[first:stop], episode.frames[first + 1 : stop + 1], told)


def _held(file: Path, world: LoadedWorld) -> npt.NDArray[np.int64]:
    """Every action on all ticks of its step."""
    game = world.world.config.game
    return np.repeat(read_actions(file, game.action_meanings)[:, None], game.ticks_per_step, axis=1)
