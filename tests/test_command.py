"""The console command: its table, where a config's values come from, and what a mistake looks like."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from gymnasium.error import NameNotFound

from data_gen.games import UnknownGame
from neural_env import command
from neural_env.command import STAGES, Stage, explained, load_stage, main, stage_name
from neural_env.configuration import InvalidConfig, parse_config


@dataclass(frozen=True)
class Walk:
    """One way."""

    speed: float = 1.0  # m/s
    name: Literal["walk"] = "walk"


@dataclass(frozen=True)
class Ride:
    """Another."""

    speed: float = 5.0
    gears: int = 3
    name: Literal["ride"] = "ride"


@dataclass(frozen=True)
class Shoe:
    size: int = 42


@dataclass(frozen=True)
class Trip:
    """A trip."""

    out: Path
    by: Walk | Ride = field(default_factory=lambda: Walk(speed=1.5))
    shoe: Shoe = field(default_factory=Shoe)
    steps: int = 100  # how many
    stops: tuple[str, ...] = ()
    rest: float | None = None
    loud: bool = False

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps is {self.steps}; expected 0 or more")


def _parse(*flags: str) -> Trip:
    return parse_config(Trip, flags, "trip")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], str]:
    def write_file(content: Any) -> str:
        file = tmp_path / "trip.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(file)

    return write_file


# ---- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_is_a_function_of_one_frozen_dataclass(name: str) -> None:
    function, config_type = load_stage(name)
    assert callable(function)
    assert dataclasses.is_dataclass(config_type)
    assert config_type.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "config" not in {each.name for each in dataclasses.fields(config_type)}, "--config is the command's own"


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: neural-env {name}" in out
    assert "--config" in out


def test_the_longest_stage_is_meant() -> None:
    assert stage_name(["agent", "train", "agent"]) == "agent train"
    assert stage_name(["agent"]) is None
    assert stage_name(["train", "agent"]) is None


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_stage_all_are_listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"{name} " in out and stage.help in out for name, stage in STAGES.items())


def test_an_unknown_stage_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gmaes"]) == 2
    assert "Did you mean `neural-env games`?" in capsys.readouterr().err


def test_half_a_stage_lists_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 2
    err = capsys.readouterr().err
    assert "data verify" in err
    assert "agent train" not in err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("neural-env 0.")


def test_listing_the_stages_imports_none_of_them() -> None:
    script = "from neural_env.command import main; main([]); import sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert {"torch", "agents", "tyro"} & set(ended.stdout.split()) == set()


def test_games_are_listed_with_their_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games"]) == 0
    out = capsys.readouterr().out
    assert "Real/Pong-v0" in out
    assert "Real/DoomTakeCover-v0" in out


# ---- defaults < file < flags ----------------------------------------------------------------------------------------


def test_defaults_lie_beneath_the_file_and_the_file_beneath_flags(write: Callable[[Any], str]) -> None:
    file = write({"steps": 7, "rest": 2, "stops": ["a", "b"], "shoe": {"size": 40}, "by": {"speed": 2}})
    trip = _parse("--config", file, "--out", "x", "--steps", "9", "--shoe.size", "41")
    assert trip == Trip(Path("x"), Walk(2.0), Shoe(41), steps=9, stops=("a", "b"), rest=2.0)


def test_a_required_value_may_come_from_the_file(write: Callable[[Any], str]) -> None:
    assert _parse("--config", write({"out": "x"})) == Trip(Path("x"))


def test_a_required_value_that_nobody_gives_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        _parse("--steps", "1")
    assert end.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_flag_chooses_between_dataclasses() -> None:
    assert _parse("--out", "x").by == Walk(1.5)
    assert _parse("--by.speed", "3", "--out", "x").by == Walk(3.0)
    assert _parse("--out", "x", "--by", "ride", "--by.gears", "7").by == Ride(gears=7)
    assert _parse("--by.gears=7", "--by=ride", "--out", "x").by == Ride(gears=7)


def test_a_file_chooses_between_dataclasses(write: Callable[[Any], str]) -> None:
    file = write({"out": "x", "by": {"name": "ride", "gears": 7}})
    assert _parse("--config", file).by == Ride(gears=7)
    assert _parse("--config", file, "--by.speed", "9").by == Ride(9.0, 7)
    assert _parse("--config", file, "--by", "walk").by == Walk(1.5), "what the file says of riding is not for walking"


def test_a_config_that_was_written_out_can_be_read_again(write: Callable[[Any], str]) -> None:
    """So a run's own config.json starts the same run elsewhere."""
    trip = Trip(Path("x"), Ride(4.0), stops=("a",), loud=True)
    assert _parse("--config", write(json.dumps(dataclasses.asdict(trip), default=str))) == trip


def test_an_unknown_choice_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse("--out", "x", "--by", "swim")
    err = capsys.readouterr().err
    assert "walk" in err
    assert "ride" in err


def test_help_shows_comments_choices_and_the_values_of_the_file(
    write: Callable[[Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _parse("--config", write({"steps": 12345}), "--help")
    out = capsys.readouterr().out
    assert "A trip." in out
    assert "how many" in out
    assert "12345" in out
    assert "--by {walk,ride}" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"stepz": 1}, "there is no stepz; did you mean steps?"),
        ({"shoe": {"colour": "red"}}, "there is no shoe.colour; known are shoe.size"),
        ({"by": {"gears": 3}}, "there is no by.gears"),
        ({"by": {"name": "swim"}}, 'by.name is "swim"; expected one of walk, ride'),
        ({"by": "ride"}, 'by is "ride"; expected a JSON object'),
        ({"shoe": {"size": "big"}}, 'shoe.size is "big"; expected int'),
        ({"steps": 1.5}, "steps is 1.5; expected int"),
        ({"steps": True}, "steps is true; expected int"),
        ({"loud": 1}, "loud is 1; expected bool"),
        ({"out": 3}, "out is 3; expected Path"),
        ({"rest": "long"}, 'rest is "long"; expected float | None'),
        ({"stops": ["a", 1]}, "stops.1 is 1; expected str"),
        ({"steps": [0] * 1000}, "..."),
        ('{"rest": NaN}', "NaN is not a number"),
        ("[1]", "expected a JSON object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (" " * (1 << 20) + "{}", "at most"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_key(content: Any, message: str, write: Callable[[Any], str]) -> None:
    file = write(content)
    with pytest.raises(InvalidConfig) as refusal:
        _parse("--out", "x", "--config", file)
    assert file in str(refusal.value)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "--config", "nowhere.json"]) == 2
    assert capsys.readouterr().err == "neural-env games: nowhere.json: no such file or directory\n"


def test_agent_train_takes_the_algorithm_by_name() -> None:
    from agents.train import DQNConfig, PPOConfig, TrainConfig

    assert parse_config(TrainConfig, ["--out", "x"], "t") == TrainConfig(out=Path("x"), algo=PPOConfig())
    flags = ["--out", "x", "--algo", "dqn", "--algo.learning-rate", "1e-4"]
    assert parse_config(TrainConfig, flags, "t") == TrainConfig(out=Path("x"), algo=DQNConfig(learning_rate=1e-4))


# ---- mistakes and faults --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nothing:
    """Takes nothing."""


@pytest.fixture
def stage_that_raises(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    def install(fault: BaseException) -> None:
        def stage(config: Nothing) -> None:
            raise fault

        monkeypatch.setitem(STAGES, "fail", Stage("nowhere:stage", "fails", "the same command goes on"))
        monkeypatch.setattr(command, "load_stage", lambda name: (stage, Nothing))
        monkeypatch.delenv("NEURAL_ENV_TRACEBACK", raising=False)

    return install


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ValueError("steps is -1;\n expected more"), "steps is -1; expected more"),
        (UnknownGame("no game is called 'Pang'"), "no game is called 'Pang'"),
        (FileExistsError("runs/pong already holds a run"), "runs/pong already holds a run"),
        (FileNotFoundError(2, "No such file or directory", "a.h5"), "a.h5: no such file or directory"),
        (PermissionError(13, "Permission denied", "a.h5"), "a.h5: permission denied"),
        (OSError(28, "No space left on device"), "no space left on device"),
        (NameNotFound("Environment `Pang` doesn't exist"), "Environment `Pang` doesn't exist"),
        (ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow"), "neural-env[export]"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(
    fault: Exception,
    sentence: str,
    stage_that_raises: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage_that_raises(fault)
    assert main(["fail"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("neural-env fail: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "fault", [KeyError("frames"), AttributeError("x"), AssertionError(), RuntimeError("CUDA error")]
)
def test_a_bug_keeps_its_traceback(fault: Exception, stage_that_raises: Callable[[BaseException], None]) -> None:
    stage_that_raises(fault)
    with pytest.raises(type(fault)):
        main(["fail"])
    assert explained(fault) is None


def test_a_traceback_can_be_asked_for(
    stage_that_raises: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_that_raises(ValueError("wrong"))
    monkeypatch.setenv("NEURAL_ENV_TRACEBACK", "1")
    with pytest.raises(ValueError, match="wrong"):
        main(["fail"])


def test_an_interrupt_says_how_to_go_on(
    stage_that_raises: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stage_that_raises(KeyboardInterrupt())
    assert main(["fail"]) == 130
    assert capsys.readouterr().err == "neural-env fail: interrupted; the same command goes on.\n"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_stage_returns_its_exit_code(returned: int | None, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "end", Stage("nowhere:stage", "ends"))
    monkeypatch.setattr(command, "load_stage", lambda name: (lambda config: returned, Nothing))
    assert main(["end"]) == code


def _console(arguments: str) -> subprocess.CompletedProcess[str]:
    script = f"{sys.executable} -m neural_env.command {arguments}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


def test_the_command_itself_ends_without_a_traceback() -> None:
    ended = _console("games --game Pang")
    assert ended.returncode == 2
    assert "no game is called 'Pang'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", ["games", "--help"])
def test_a_reader_who_leaves_early_is_no_error(arguments: str) -> None:
    """`neural-env games | head` must not end in a traceback about a broken pipe."""
    ended = _console(f"{arguments} > >(exec true); sleep 0.1")
    assert ended.stderr == ""
