"""The stage `neural-env bench world`: how fast a world steps, beside the game it stands for, in one run.

neural-env bench world --world runs/pong/world

A step includes reward, end, decoding to uint8 and the copy to the host. Worlds, emulators and a bare matrix product
take turns, so that whatever else the machine does meets all of them; figures are medians over the turns, and so are
ratios, of one turn each.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data_gen.games import UnknownGame, games
from data_gen.spec import GameSpec
from data_gen.twin import Twin
from evaluation.report import Row, figure_text
from evaluation.step_time import constant_cost
from neural_env.dream_vector import DreamVectorEnv
from world_model.bundle import load_world
from world_model.card import put_into_card
from world_model.flops import flops_per_frame
from world_model.hub import resolve_world
from world_model.sampling_changes import SamplingChanges
from world_model.simulator import Context, Simulator

_VECTOR_ENVS = 8
_MATRIX = 1024  # rows and columns of the bare matrix product
_TWIN, _VECTOR, _MATMUL = "twin", "atari_vector", "matrix product"
_SHOWN = {_TWIN: "one twin", _VECTOR: f"AtariVectorEnv of {_VECTOR_ENVS}"}

Rates = dict[str, list[float]]  # by name: what was done a second, turn by turn
Turn = Callable[[], int]  # does something and says how much


@dataclass(frozen=True)
class BenchWorldConfig:
    """Measure a world's speed against that of its game."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    lanes: tuple[int, ...] = (1, 8, 64, 256)
    turns: int = 5
    seconds: float = 1.0  # that each part of a turn lasts at least
    late_step: int = 10_000  # whose time is compared with that of step 100; 0: do not
    json: bool = False  # print JSON instead of a table
    card: bool = False  # also put the table into the world's own card
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16"] = "float32"
    sampling: SamplingChanges = field(default_factory=SamplingChanges)


@dataclass(frozen=True)
class WorldSpeed:
    """What was measured, and what follows from it."""

    rates: Rates
    lanes: tuple[int, ...]
    flops_per_step: int
    evaluations_per_frame: int
    state_bytes_per_lane: int
    dtype: str
    constant_cost: Row | None

    def rate(self, name: str) -> float:
        """What was done a second, in the median turn."""
        return statistics.median(self.rates[name])

    def ratio(self, name: str, other: str) -> float:
        """One thing over another, in the median turn."""
        pairs = zip(self.rates[name], self.rates[other], strict=True)
        return statistics.median(one / another for one, another in pairs)

    def share_of_peak(self, lanes: int) -> float:
        """Of the operations that a matrix product gets done, how many a world does."""
        return self.flops_per_step * self.ratio(_world(lanes), _MATMUL)

    @property
    def _emulators(self) -> list[str]:
        return [name for name in _SHOWN if name in self.rates]

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        emulators = self._emulators
        cost = self.constant_cost
        return {
            "threads": torch.get_num_threads(),
            "dtype": self.dtype,
            "flops_per_step": self.flops_per_step,
            "evaluations_per_frame": self.evaluations_per_frame,
            "state_bytes_per_lane": self.state_bytes_per_lane,
            "matmul_flops_per_second": self.rate(_MATMUL),
            "emulators": {name: {"steps_per_second": self.rate(name)} for name in emulators},
            "world": {
                str(lanes): {
                    "steps_per_second": self.rate(_world(lanes)),
                    "steps_per_second_of_turns": self.rates[_world(lanes)],
                    "share_of_peak": self.share_of_peak(lanes),
                    "ratios": {name: self.ratio(_world(lanes), name) for name in emulators},
                    "as_an_environment": self.ratio(_env(lanes), _world(lanes)),
                }
                for lanes in self.lanes
            },
            "constant_cost": None if cost is None else {"what": cost.what, **dataclasses.asdict(cost.estimate)},
        }

    def to_text(self) -> str:
        """For people."""
        lines = [f"{_SHOWN[name]:26} {self.rate(name):10,.0f} steps/s" for name in self._emulators]
        for lanes in self.lanes:
            ratios = "".join(f", {self.ratio(_world(lanes), name):.3f} of {_SHOWN[name]}" for name in self._emulators)
            lines.append(
                f"{_world(lanes):26} {self.rate(_world(lanes)):10,.0f} steps/s, "
                f"{100 * self.share_of_peak(lanes):.1f} % of the peak{ratios}"
            )
        for lanes in self.lanes:
            bare = self.ratio(_env(lanes), _world(lanes))
            lines.append(f"{_env(lanes):26} {self.rate(_env(lanes)):10,.0f} steps/s, {bare:.3f} of the bare world")
        lines += [
            f"{'a step':26} {self.flops_per_step / 1e6:10,.1f} MFLOP, {self.evaluations_per_frame} evaluations a frame",
            f"{'state of a lane':26} {self.state_bytes_per_lane / 1e6:10,.3f} MB",
            f"{'peak (' + _MATMUL + ')':26} {self.rate(_MATMUL) / 1e9:10,.1f} GFLOP/s, "
            f"{torch.get_num_threads()} threads, {self.dtype}",
        ]
        if self.constant_cost is not None:
            lines.append(f"{self.constant_cost.what}: {figure_text(self.constant_cost.estimate, '')}")
        return "\n".join(lines)


def bench_world(config: BenchWorldConfig) -> None:
    """Measure and print."""
    speed = measure_speed(config)
    if config.card:
        put_into_card(
            resolve_world(config.world), "Speed", f"By `neural-env bench world`.\n\n```\n{speed.to_text()}\n```"
        )
    print(json.dumps(speed.to_dict(), indent=1) if config.json else speed.to_text())


def measure_speed(config: BenchWorldConfig) -> WorldSpeed:
    """The figures; the first of the turns warms up and is not counted."""
    folder = resolve_world(config.world)
    loaded = load_world(folder)
    world = loaded.world.to(device=config.device, dtype=getattr(torch, config.dtype))
    simulator, contexts = Simulator(world, config.sampling.applied(loaded.simulator)), loaded.starts.contexts()
    rates: Rates = {}
    envs = [_stepping_env(folder, config, lanes) for lanes in config.lanes]
    with _players(simulator, contexts, config.lanes) as players:
        players |= {_env(lanes): env for lanes, env in zip(config.lanes, envs, strict=True)}
        for turn in tqdm(range(config.turns + 1), desc="turns", unit="turn"):
            for name, play in players.items():
                rate = _per_second(play, config.seconds)
                if turn:
                    rates.setdefault(name, []).append(rate)
    cost = constant_cost(simulator, contexts[0], config.late_step).rows[0] if config.late_step else None
    return WorldSpeed(
        rates,
        config.lanes,
        flops_per_frame(simulator, contexts),
        simulator.config.steps,
        _state_bytes(simulator, contexts[0]),
        config.dtype,
        cost,
    )


def _per_second(play: Turn, seconds: float) -> float:
    began, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or not done:
        done += play()
    return done / passed


def _world(lanes: int) -> str:
    return f"world, {lanes} lane{'s' if lanes > 1 else ''}"


def _env(lanes: int) -> str:
    return f"vector env, {lanes} lane{'s' if lanes > 1 else ''}"


def _state_bytes(simulator: Simulator, context: Context) -> int:
    state, _ = simulator.start([context], [0])
    return sum(tensor.numel() * tensor.element_size() for tensor in state.tensors().values())


# ---- who plays -----------------------------------------------------------------------------------------------------


@contextmanager
def _players(simulator: Simulator, contexts: Sequence[Context], lanes: Sequence[int]) -> Iterator[dict[str, Turn]]:
    """All that take turns."""
    spec = simulator.world.config.game
    players: dict[str, Turn] = {_MATMUL: _matrix_product(simulator.world.dynamics.place)}
    players |= {_world(count): _dreaming(simulator, contexts, count) for count in lanes}
    with ExitStack() as closing:
        twin = Twin(_known(spec))
        closing.callback(twin.close)
        players[_TWIN] = _stepping_twin(twin)
        if spec.emulator == "ale":
            players[_VECTOR] = _stepping_vector(spec, closing)
        yield players


def _known(spec: GameSpec) -> GameSpec:
    """The spec, unless it names an environment to import that nobody here has registered: it came with the world."""
    if spec.emulator == "gym" and spec not in games():
        raise UnknownGame(f"{spec.name} is no game that is known here; tell of it: neural_env.register_game(spec)")
    return spec


def _dreaming(simulator: Simulator, contexts: Sequence[Context], lanes: int) -> Turn:
    state, _ = simulator.start(list(islice(cycle(contexts), lanes)), range(lanes))
    spec, generator = simulator.world.config.game, np.random.default_rng(0)

    def play() -> int:
        nonlocal state
        actions = generator.integers(spec.num_actions, size=(lanes, 1))
        state, _ = simulator.step(state, np.repeat(actions, spec.ticks_per_step, axis=1))
        return lanes

    return play


def _stepping_env(folder: Path, config: BenchWorldConfig, lanes: int) -> Turn:
    """The same world behind `gym.make_vec`, with new episodes where old ones end."""
    changes = {name: value for name, value in dataclasses.asdict(config.sampling).items() if value is not None}
    envs = DreamVectorEnv(
        lanes,
        folder,
        autoreset_mode="SameStep",
        device=config.device,
        dtype=config.dtype,
        start="anywhere",
        **changes,
    )
    generator = np.random.default_rng(0)
    envs.reset(seed=0)

    def play() -> int:
        envs.step(generator.integers(envs.game.num_actions, size=lanes))
        return lanes

    return play


def _stepping_twin(twin: Twin) -> Turn:
    generator = np.random.default_rng(0)
    twin.reset(seed=0)

    def play() -> int:
        _, _, terminated, truncated, _ = twin.step(int(generator.integers(twin.game.num_actions)))
        if terminated or truncated:
            twin.reset()
        return 1

    return play


def _stepping_vector(spec: GameSpec, closing: ExitStack) -> Turn:
    from data_gen.atari_vector import atari_vector

    envs, generator = atari_vector(spec, _VECTOR_ENVS), np.random.default_rng(0)
    closing.callback(envs.close)
    envs.reset(seed=0)

    def play() -> int:
        envs.step(generator.integers(spec.num_actions, size=_VECTOR_ENVS))
        return _VECTOR_ENVS

    return play


def _matrix_product(like: Tensor) -> Turn:
    """Counts floating-point operations, as `flops_per_frame` does."""
    left, right = (torch.randn(_MATRIX, _MATRIX, device=like.device, dtype=like.dtype) for _ in range(2))

    def play() -> int:
        product = left @ right
        product[0, 0].item()  # waits until it is done
        return 2 * _MATRIX**3

    return play
