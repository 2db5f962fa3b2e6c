"""One round of the loop. Every part of it is a stage that goes on where it was stopped, and so does the round.

<out>/round-0/recording     what was played in this round
<out>/round-0/data          all that was played so far, no more than the budget allows
<out>/round-0/world-run     the world, trained on that; world-run/world is the bundle
<out>/round-0/agent         the agent, trained in its dream
<out>/round-0/round.json    what came of it
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from agents.algorithms import DQNConfig, PPOConfig
from agents.network import FrameNetworkConfig
from agents.policy_file import read_record
from agents.record_command import make_policy, policy_sha256
from agents.run_folder import RunFolder
from agents.train import TrainConfig, train
from data_gen.atomic import write_atomically
from data_gen.games import game
from data_gen.merge import merge
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.recorder import record
from data_gen.recording import Recording, summed_steps
from neural_env.configuration import parse_config
from neural_env.dream_options import DreamOptions
from world_model.plain_config import from_plain, read_json
from world_model.starts_command import StartsConfig, starts_command
from world_model.training.train_world import TrainWorldConfig, train_world

_ANY_WORLD = "Dream/World-v0"
_VALIDATION = 0.1  # share of the episodes: it also gives the world its starts
_LONGEST = 2  # times as long as any game that was recorded, a dreamt one is cut: an early world's may never end
_EPSILONS = (0.0, 0.1)  # what an agent does not do by itself, a world should have seen, too


@dataclass(frozen=True)
class Setting:
    """What all rounds have in common."""

    game: str
    out: Path
    rounds: int
    real_steps: int
    recipe: Path | None
    refine: Path | None
    agent_steps: int
    episodes: int
    algo: PPOConfig | DQNConfig
    network: FrameNetworkConfig
    dream: DreamOptions
    seed: int
    workers: int

    def folder(self, number: int) -> Path:
        """Of one round."""
        return self.out / f"round-{number}"


@dataclass(frozen=True)
class Round:
    """What came of one."""

    number: int
    real_steps: int  # recorded so far, all rounds together
    episodes: int  # likewise
    recorded_return: float  # mean of this round's whole games
    dream_return: float  # of the agent at the end of the round
    real_return: float
    real_interval: tuple[float, float]
    world: dict[str, float]  # held-out figures of the finished dynamics


def play_round(setting: Setting, number: int) -> Round:
    """One round, from wherever it is; one that is done is recalled."""
    folder = setting.folder(number)
    file = folder / "round.json"
    if file.is_file():
        return from_plain(Round, read_json(file.read_bytes()), str(file))
    data = _record(setting, number)
    world = _learn(setting, number)
    policy = _dream(setting, number, world)
    training = read_record(policy).training
    own = Recording.open(folder / "recording").entries()
    done = Round(
        number,
        summed_steps(data.entries()),
        len(data.entries()),
        sum(entry.total_reward for entry in own) / max(1, len(own)),
        training["evaluation_in_dream"]["mean_return"],
        training["evaluation"]["mean_return"],
        tuple(training["evaluation"]["interval_95"]),
        _held_out(folder / "world-run"),
    )
    write_atomically(file, (json.dumps(asdict(done), indent=1) + "\n").encode())
    return done


def policy_of(setting: Setting, number: int) -> Path:
    """The policy that a round ends with; its training ends with a whole rollout, mostly beyond the steps wanted."""
    return RunFolder(setting.folder(number) / "agent").kept()[-1]


def _record(setting: Setting, number: int) -> Recording:
    """This round's share of the real steps, played by the last round's agent; the first round knows none."""
    folder = setting.folder(number)
    name = RANDOM_HOLD if number == 0 else str(policy_of(setting, number - 1).absolute())
    plan = RecordingPlan(
        game=game(setting.game),
        policies={name: policy_sha256(name, setting.game)},
        held_out={},
        epsilons=(0.0,) if number == 0 else _EPSILONS,
        steps=max(1, _due(setting, number) - _played(setting, number)),
        test_episodes=0,
        validation=_VALIDATION,
        seed=setting.seed * setting.rounds + number,
        lanes=4,
    )
    record(plan, partial(make_policy, setting.game), folder / "recording", setting.workers)
    if not (folder / "data" / "manifest.json").is_file():
        before = [] if number == 0 else [Recording.open(setting.folder(number - 1) / "data")]
        merge([*before, Recording.open(folder / "recording")], folder / "data", _due(setting, number))
    return Recording.open(folder / "data")


def _due(setting: Setting, number: int) -> int:
    """Real steps that may have been taken by the end of a round."""
    return setting.real_steps * (number + 1) // setting.rounds


def _played(setting: Setting, number: int) -> int:
    if number == 0:
        return 0
    return summed_steps(Recording.open(setting.folder(number - 1) / "data").entries())


def _learn(setting: Setting, number: int) -> Path:
    """The world, from the last round's where there is one."""
    folder = setting.folder(number)
    recipe = setting.recipe if number == 0 or setting.refine is None else setting.refine
    words = ["--data", str(folder / "data"), "--out", str(folder / "world-run")]
    words += [] if recipe is None else ["--config", str(recipe)]
    if number > 0:
        words += ["--init", str(setting.folder(number - 1) / "world-run" / "world")]
    world = folder / "world-run" / "world"
    if not (world / "manifest.json").is_file():
        train_world(parse_config(TrainWorldConfig, words, "neural-env world train"))
    if not (folder / "world" / "manifest.json").is_file():
        starts_command(StartsConfig(str(world), folder / "data", folder / "world", seed=setting.seed))
    return folder / "world"


def _dream(setting: Setting, number: int, world: Path) -> Path:
    """The agent, which goes on learning in the new dream."""
    folder = setting.folder(number) / "agent"
    kept = RunFolder(folder).kept()
    if not kept or read_record(kept[-1]).training["steps"] < setting.agent_steps:
        options = {**setting.dream.given(), "world": str(world)}
        train(
            TrainConfig(
                out=folder,
                env=_ANY_WORLD,
                dream=DreamOptions.of(options),
                algo=setting.algo,
                steps=setting.agent_steps,
                seed=setting.seed + number,
                evaluate_every=setting.agent_steps,
                evaluate_episodes=setting.episodes,
                evaluate_steps=_LONGEST
                * max(entry.steps for entry in Recording.open(folder.parent / "data").entries()),
                init=None if number == 0 else policy_of(setting, number - 1),
                resume=(folder / "state.pt").is_file(),
                network=setting.network,
            )
        )
    return policy_of(setting, number)


def _held_out(run: Path) -> dict[str, float]:
    """The last held-out figures of the last stage that was judged."""
    for stage in ("own_output", "dynamics"):
        file = run / stage / "journal.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
        judged = [line for line in lines if any(name.startswith("held_out/") for name in line)]
        if judged:
            figures = {name.removeprefix("held_out/"): value for name, value in judged[-1].items() if name != "step"}
            return {name: value for name, value in figures.items() if value is not None}  # null: it was not finite
    return {}
