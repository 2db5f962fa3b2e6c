"""Train a world on a recording, stage after stage: tokenizer, latent cache, dynamics and outcome, own output, export.

    neural-env world train --data recordings/pong --out runs/pong-world
    neural-env world train --data recordings/pong --out runs/pong-world --until tokenizer
    neural-env world train --data recordings/more --out runs/refined --init runs/pong-world/world --first own-output
    torchrun --nproc-per-node 2 --no-python neural-env world train --data ... --out ...

The same command goes on wherever it was stopped; stages that are done are recalled, not done again. The finished world
lies in `<out>/world`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from data_gen.recording import Recording
from data_gen.windows import Windows
from world_model.bundle import load_world, save_world
from world_model.card import TrainingFacts
from world_model.conv_tokenizer import ConvTokenizer
from world_model.objectives.strange_tokens import StrangeConfig
from world_model.outcome import OutcomeConfig
from world_model.pixels import from_levels
from world_model.plain_config import to_plain
from world_model.presets import NanoPreset, Preset
from world_model.simulator import Simulator, SimulatorConfig
from world_model.starts import choose_starts
from world_model.training.begin_from import begin_from
from world_model.training.difficulty import difficulty_weights
from world_model.training.dynamics_task import DynamicsTask, DynamicsTaskConfig
from world_model.training.fit import FitConfig, fit
from world_model.training.held_out import judge_dynamics, judge_tokenizer
from world_model.training.in_turns import InTurns
from world_model.training.latents import latent_windows
from world_model.training.moments import around_moments, read_moments
from world_model.training.processes import Processes, joined_processes
from world_model.training.seen_glyphs import seen_glyphs
from world_model.training.surprise_limit import set_surprise_limit
from world_model.training.task import Source
from world_model.training.tokenizer_task import TokenizerTask, TokenizerTaskConfig, still_picture
from world_model.training.typical_tokens import typical_tokens
from world_model.training.world_card import machine, training_card
from world_model.training.world_report import WorldReport
from world_model.world import World, WorldConfig

StageName = Literal["tokenizer", "latents", "dynamics", "own-output", "export"]
LearningStage = Literal["tokenizer", "dynamics", "own-output"]
_STAGES: tuple[StageName, ...] = get_args(StageName)
_OTHERS = 2_000  # frames, evenly taken, that lend tokens to others


@dataclass(frozen=True)
class TrainWorldConfig:
    """Train a world on a recording; the same command goes on where it was stopped."""

    data: Path  # the recording
    out: Path  # the run's folder; the world comes to lie in <out>/world
    preset: Preset = field(default_factory=NanoPreset)  # sizes
    init: Path | None = None  # a world of these sizes to begin from; its local perceptron may be narrower
    first: LearningStage = "tokenizer"  # to learn; what the stages before it learn is taken over from `init`
    until: StageName = "export"  # the last stage to be done
    tokenizer: TokenizerTaskConfig = field(default_factory=TokenizerTaskConfig)
    tokenizer_fit: FitConfig = field(default_factory=lambda: FitConfig(batch=48, steps=16_000, learning_rate=3e-3))
    window: int = 24  # steps of a training window
    dynamics: DynamicsTaskConfig = field(default_factory=DynamicsTaskConfig)
    dynamics_fit: FitConfig = field(default_factory=lambda: FitConfig(batch=4, steps=40_000, learning_rate=2e-3))
    difficulty: float = 0.5  # in own-output, windows are drawn by the world's error on them to this power; 0: evenly
    moments: Path | None = None  # JSON that names steps which must be right, see `world_model/training/moments.py`
    moments_share: float = 0.5  # of the windows that are drawn around them, in dynamics and own-output
    moments_window: int | None = None  # steps of these, if drawn by turns with the others; as many more the shorter
    own_output: DynamicsTaskConfig = field(
        default_factory=lambda: DynamicsTaskConfig(dreamt=0.5, strange=StrangeConfig(clean_share=0.5))
    )
    own_output_fit: FitConfig = field(default_factory=lambda: FitConfig(batch=8, steps=10_000, learning_rate=1.5e-3))
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)  # how the finished world is run by default
    beginnings: int = 32  # starts of the finished world: games that begin
    middles: int = 32  # and moments within games
    device: str | None = None  # default: CUDA where there is one
    threads: int = 0  # torch threads; 0: as torch chooses

    def __post_init__(self) -> None:
        if self.first != "tokenizer" and self.init is None:
            raise ValueError(f"first is {self.first}; expected tokenizer where no world is given as init")
        if not 0 < self.moments_share <= 1:
            raise ValueError(f"moments_share is {self.moments_share}; expected above 0, to 1")
        if self.moments_window is not None and (self.moments_window < 1 or self.window % self.moments_window):
            raise ValueError(f"moments_window is {self.moments_window}; expected a divisor of window, {self.window}")
        if self.moments is None and (self.dynamics.moment or self.own_output.moment or self.moments_window):
            raise ValueError("moments are to weigh more or have windows, but none are named; expected --moments FILE")


def train_world(config: TrainWorldConfig) -> None:
    """Do every stage up to `until`, and say where the world lies."""
    if config.threads:
        torch.set_num_threads(config.threads)
    with joined_processes(config.device) as processes:
        run = _WorldRun(config, processes)
        for stage in _STAGES[: _STAGES.index(config.until) + 1]:
            run.do(stage)


class _WorldRun:
    """One run: the world as far as it is trained, and what the stages hand on."""

    def __init__(self, config: TrainWorldConfig, processes: Processes) -> None:
        self._config, self._processes = config, processes
        self._recording = Recording.open(config.data)
        game = self._recording.manifest.game
        if game is None:
            raise ValueError(
                f"{config.data} is an imported video: nobody knows its actions, so no world can be learned"
            )
        self._frames = self._windows("train", 1)
        rewards, ended = self._frames.outcomes()
        values, counts = np.unique(rewards[~np.isnan(rewards)], return_counts=True)
        torch.manual_seed(config.tokenizer_fit.seed)  # of the first weights; nothing later reads the global generator
        outcome = OutcomeConfig(tuple(values.tolist()))
        self._world = World(WorldConfig(game, config.preset.tokenizer, config.preset.dynamics, outcome)).to(
            processes.device
        )
        if config.init is not None:
            begin_from(self._world, config.init)
        self._world.outcome.set_shares(counts / counts.sum(), float(ended.mean()))
        entries = self._recording.entries("train")
        self._moments = None if config.moments is None else read_moments(config.moments, entries)
        self._seconds, self._steps = 0.0, 0

    def do(self, stage: StageName) -> None:
        """Do one stage; those before it have been done."""
        {
            "tokenizer": self._tokenizer,
            "latents": self._latents,
            "dynamics": self._dynamics,
            "own-output": self._own_output,
            "export": self._export,
        }[stage]()

    def _tokenizer(self) -> None:
        tokenizer = self._world.tokenizer
        if isinstance(tokenizer, ConvTokenizer) and self._learns("tokenizer"):
            median_HWC, still_HWC = still_picture(self._frames)
            tokenizer.set_still_picture(still_HWC)
            if self._config.init is None:
                tokenizer.set_backdrop(from_levels(median_HWC))
            judge = judge_tokenizer(self._recording, tokenizer)
            self._fit("tokenizer", TokenizerTask(tokenizer, self._config.tokenizer), self._frames, 1, judge)
        tokenizer.requires_grad_(False)

    def _latents(self) -> None:
        folder = self._config.out / "latents" / _digest(self._world.tokenizer)
        windows = self._windows("train", self._config.window).past_ends()
        # One process encodes and finds the glyphs, the others read the files.
        if self._processes.is_first:
            self._encode(windows, folder, progress=True)
        self._processes.barrier()
        self._encode(windows, folder, progress=False)

    def _encode(self, windows: Windows, folder: Path, progress: bool) -> None:
        self._runs = latent_windows(windows, self._world.tokenizer, folder, progress)
        latents = self._runs.frames
        self._others_FND = torch.from_numpy(np.array(latents[:: -(-len(latents) // _OTHERS)]))
        glyphs = self._world.dynamics.glyphs
        if self._learns("tokenizer"):  # else what the glyphs of `init` stand for has not moved
            glyphs.renew(typical_tokens(latents, glyphs.count, glyphs.least_change, folder))
        glyphs.seen_NV.copy_(seen_glyphs(latents, glyphs, folder))

    def _dynamics(self) -> None:
        if self._learns("dynamics"):
            self._fit_dynamics("dynamics", self._config.dynamics, self._runs.evening())

    def _own_output(self) -> None:
        config = self._config
        file = config.out / f"difficulty-{_digest(self._world)}.npy"
        how = (config.difficulty, config.own_output.changed, file, config.own_output_fit.precision, self._processes)
        self._fit_dynamics("own_output", config.own_output, difficulty_weights(self._runs, self._world, *how))

    def _fit_dynamics(self, name: str, config: DynamicsTaskConfig, weights_W: npt.NDArray[np.float64]) -> None:
        runs = self._around_moments(weights_W, getattr(self._config, f"{name}_fit").batch)
        task = DynamicsTask(self._world, config, self._others_FND, self._at_moments(), self._frames.ends_shown)
        judge = judge_dynamics(self._recording, self._world)
        report = WorldReport(self._recording, self._world, self._config.out / name)
        self._fit(name, task, runs, self._config.window, judge, report)

    def _around_moments(self, weights_W: npt.NDArray[np.float64], batch: int) -> Source:
        """The windows by these weights, and, if moments are named, a share of those around them."""
        if self._moments is None:
            return self._runs.weighted(weights_W)
        share, length = self._config.moments_share, self._config.moments_window
        if length is None:
            around_W = around_moments(self._runs, self._moments, share)
            return self._runs.weighted((1 - share) * weights_W / weights_W.sum() + around_W)
        short = self._windows("train", length).past_ends().instead(self._runs.frames)
        short = short.weighted(around_moments(short, self._moments, 1.0))
        return InTurns(self._runs.weighted(weights_W), short, share, batch)

    def _fit(self, name: str, task: Any, source: Source, steps_of_row: int, judge: Any, report: Any = None) -> None:
        """Train one task and leave its module as the average over the steps."""
        config: FitConfig = getattr(self._config, f"{name}_fit")
        about = {
            "task": to_plain(getattr(self._config, name)),
            "world": to_plain(self._world.config),
            "data": self._frames.key,
            "begins_from": _digest(self._world),
            "difficulty": self._config.difficulty if name == "own_output" else 0.0,
            "moments": None if self._moments is None or name == "tokenizer" else self._told_moments(),
        }
        result = fit(
            task, source, config, self._config.out / name,
            held_out=judge, report=report, about=about,
            frames_per_row=steps_of_row, processes=self._processes,
        )  # fmt: skip
        result.average.copy_to(task.module)
        self._seconds += result.seconds
        self._steps += result.step

    def _at_moments(self) -> Tensor | None:
        """Of each row of the frames, whether it is a moment."""
        if self._moments is None:
            return None
        moments_F = torch.zeros(len(self._frames.frames), dtype=torch.bool)
        moments_F[self._moments] = True
        return moments_F

    def _told_moments(self) -> list[Any]:
        """What of the moments a stream of windows depends on, in JSON types."""
        assert self._moments is not None
        told = [hashlib.sha256(self._moments.tobytes()).hexdigest()[:16], self._config.moments_share]
        return told if self._config.moments_window is None else [*told, self._config.moments_window]

    def _export(self) -> None:
        if not self._processes.is_first:
            return
        config = self._config
        set_surprise_limit(self._world, self._recording)
        split = "test" if self._recording.entries("test") else "validation"
        reach = self._world.config.dynamics.reach
        starts = choose_starts(self._recording, split, config.beginnings, config.middles, reach, seed=0)
        settings = {
            k: v
            for k, v in dataclasses.asdict(config).items()
            if k not in ("data", "out", "init", "until", "device", "moments")
        }
        if config.init is not None:  # by what it is: where it lay is nobody's business
            settings["init"] = load_world(config.init).digest
        recipe = f"neural-env world train --data {config.data.name} --config <these settings>"
        trained_by = machine(self._processes.size)
        facts = TrainingFacts(recipe, json.dumps(settings, default=str), self._steps, self._seconds, trained_by)
        card = training_card(self._recording, Simulator(self._world, config.simulator), starts, facts)
        folder = config.out / "world"
        save_world(folder, self._world.cpu(), config.simulator, starts, card, overwrite=True)
        print(f"{folder}: {sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f} MB, {len(starts)} starts")

    def _learns(self, stage: LearningStage) -> bool:
        return _STAGES.index(stage) >= _STAGES.index(self._config.first)

    def _windows(self, split: str, length: int) -> Windows:
        return Windows(self._recording, split, length, self._config.tokenizer_fit.seed, progress=True)


def _digest(module: nn.Module) -> str:
    """Names the weights, so that latents of other weights are never mistaken for theirs."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(json.dumps([name, list(value.shape)]).encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
