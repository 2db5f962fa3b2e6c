"""The console command `neural-env`: a table of stages, each imported only when it runs.

    neural-env                                   # the stages
    neural-env agent train --help                # the flags of one
    neural-env agent train --out runs/pong --config pong.json --steps 200000

A stage is a function with one parameter, annotated with a frozen dataclass; the dataclass is its command line (see
`neural_env.configuration`). It returns None or an exit code. A mistake of the user's (ValueError, OSError, an unknown
id, an exception class of our own) becomes one sentence and exit code 2; anything else is a bug of ours and keeps its
traceback.
"""

from __future__ import annotations

import difflib
import importlib
import os
import select
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from gymnasium.error import DependencyNotInstalled, UnregisteredEnv

from neural_env import __version__

_OUR_PACKAGES = ("data_gen", "world_model", "neural_env", "agents", "evaluation")
_MISTAKE, _INTERRUPTED, _OUTPUT_CLOSED = 2, 130, 141
_TRACEBACK_VARIABLE = "NEURAL_ENV_TRACEBACK"


@dataclass(frozen=True)
class Stage:
    """One line of the table."""

    target: str  # "package.module:function"
    help: str  # one line
    after_interrupt: str = "run it again to start over"  # how to go on after Ctrl-C


STAGES: dict[str, Stage] = {
    "games": Stage("neural_env.games_command:list_games", "list the games and how each is seen"),
    "play": Stage("agents.play_command:play", "play a dream, its real game or both: in a window, on a page, or filmed"),
    "record": Stage(
        "agents.record_command:record_game",
        "play a game with policies of your choice and keep every frame",
        "whole episodes are kept, and the same command finishes the recording",
    ),
    "data verify": Stage("data_gen.verify:verify", "check every file of a recording, and play episodes again"),
    "data show": Stage("data_gen.show:show", "write an episode as mp4 or GIF, with actions and rewards drawn in"),
    "data stats": Stage("data_gen.stats:stats", "sum up a recording: steps, returns, actions, splits"),
    "data export": Stage("data_gen.export:export", "write a recording as Minari, Parquet or mp4"),
    "data merge": Stage("data_gen.merge:merge_command", "make one recording of several of the same game"),
    "data import-video": Stage("data_gen.import_video:import_video", "turn a video file into a recording"),
    "agent train": Stage(
        "agents.train:train",
        "train PPO or DQN on any environment id",
        "the same command with --resume goes on from the last graded policy",
    ),
    "agent clone": Stage(
        "agents.clone:clone",
        "make a policy that imitates what was played in a recording",
        "the same command goes on from the last checkpoint",
    ),
    "agent evaluate": Stage("agents.evaluate_command:evaluate_policy", "score a policy over whole episodes"),
    "agent zoo": Stage("agents.zoo.list_command:list_zoo", "list the frozen policies of a game and their scores"),
    "agent zoo-build": Stage(
        "agents.zoo.build:build_zoo",
        "make a zoo from training runs, scoring each policy as it is shipped",
        "policies that were scored are not played again",
    ),
    "agent zoo-add": Stage("agents.zoo.add:add_to_zoo", "score a policy over whole games and add it to a zoo"),
    "agent convert": Stage("agents.convert:convert", "make a policy file of a Stable-Baselines3 archive you trust"),
    "world train": Stage(
        "world_model.training.train_world:train_world",
        "train a world on a recording: tokenizer, dynamics, own output, export",
        "the same command goes on from the last checkpoint",
    ),
    "world reconstruct": Stage(
        "world_model.reconstruct_command:reconstruct", "what a world's tokenizer makes of real frames, in a picture"
    ),
    "world finetune-decoder": Stage(
        "world_model.training.finetune_decoder:finetune_decoder",
        "train only the decoder of a world on",
        "the same command goes on from the last checkpoint",
    ),
    "world starts": Stage(
        "world_model.starts_command:starts_command", "give a world other starts, from a recording of yours"
    ),
    "world push": Stage("world_model.push_command:push", "share a world on the Hugging Face hub"),
    "world rollout": Stage(
        "world_model.rollout_command:rollout", "write the video of a dream from a moment you choose"
    ),
    "world evaluate": Stage(
        "evaluation.world_evaluate:evaluate_world",
        "measure a world on games it has not learned from: pictures, rewards, control, long dreams",
    ),
    "gap": Stage(
        "evaluation.gap_report.command:gap_command",
        "how far a dream is from its game: the same policies in both, with intervals, floors and nulls",
        "what was played is kept, and the same command goes on",
    ),
    "gap compare": Stage(
        "evaluation.gap_report.compare:compare_command", "gap reports side by side: what got better or worse"
    ),
    "transfer": Stage(
        "evaluation.transfer.command:transfer",
        "train in the dream and in the game, and see what either is worth in the game",
        "the same command goes on: runs that are done are recalled, others go on from their last graded policy",
    ),
    "temperatures": Stage(
        "evaluation.transfer.temperatures:temperatures",
        "train in dreams of several temperatures, and see what each is worth in the game",
        "the same command goes on: runs that are done are recalled, others go on from their last graded policy",
    ),
    "loop": Stage(
        "evaluation.loop.command:loop",
        "from nothing to an agent with few real steps: play, record, learn, dream, play better",
        "the same command goes on from where it was",
    ),
    "bench recording": Stage(
        "agents.bench_recording:bench_recording", "what recording costs, against bare stepping in the same run"
    ),
    "bench training": Stage(
        "agents.bench_training:bench_training", "how fast an agent trains in a dream, against the same in its game"
    ),
    "bench world": Stage(
        "evaluation.bench_world:bench_world", "how fast a world steps, against its game in the same run"
    ),
    "doctor": Stage("neural_env.doctor:doctor", "check this installation and say what to do about it"),
}

# Import name -> the extra that brings it.
_EXTRAS = {
    "pygame": "play",
    "starlette": "play",
    "uvicorn": "play",
    "websockets": "play",
    "tensorboard": "track",
    "huggingface_hub": "hub",
    "ray": "ray",
    "minari": "export",
    "pyarrow": "export",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage that `argv` names; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = stage_name(words)
    try:
        code = _without_stage(words) if name is None else _guarded(name, words[len(name.split()) :])
        sys.stdout.flush()
    except BrokenPipeError:
        if _output_is_closed():
            return _OUTPUT_CLOSED
        raise
    return code


def stage_name(words: Sequence[str]) -> str | None:
    """The longest stage with which `words` begin.

    Example:
        >>> stage_name(["agent", "train", "--steps", "5"])
        'agent train'
    """
    matching = [name for name in STAGES if list(words[: len(name.split())]) == name.split()]
    return max(matching, key=len, default=None)


def load_stage(name: str) -> tuple[Callable[[Any], int | None], type]:
    """The function of a stage and the dataclass that it takes."""
    module, _, attribute = STAGES[name].target.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    hints = get_type_hints(function)
    hints.pop("return", None)
    (config_type,) = hints.values()
    return function, config_type


def _run(name: str, arguments: Sequence[str]) -> int:
    from neural_env.configuration import parse_config

    function, config_type = load_stage(name)
    return function(parse_config(config_type, arguments, f"neural-env {name}")) or 0


# ---- what can go wrong -------------------------------------------------------------------------------------------


def _guarded(name: str, arguments: Sequence[str]) -> int:
    try:
        return _run(name, arguments)
    except SystemExit as end:  # tyro's, after help or a mistake in the flags
        return end.code if isinstance(end.code, int) else 0 if end.code is None else _complain(name, str(end.code))
    except KeyboardInterrupt:
        _complain(name, f"interrupted; {STAGES[name].after_interrupt}.")
        return _INTERRUPTED
    except Exception as fault:
        if isinstance(fault, BrokenPipeError) and _output_is_closed():
            return _OUTPUT_CLOSED
        sentence = explained(fault)
        if sentence is None or os.environ.get(_TRACEBACK_VARIABLE) == "1":
            raise
        return _complain(name, sentence)


def explained(fault: Exception) -> str | None:
    """One sentence for a mistake that a user can make; None for a bug of ours.

    Example:
        >>> explained(FileNotFoundError(2, "No such file or directory", "pong.json"))
        'pong.json: no such file or directory'
        >>> explained(KeyError("frames")) is None
        True
    """
    if isinstance(fault, OSError) and fault.strerror is not None:
        where = "" if fault.filename is None else f"{fault.filename}: "
        return f"{where}{fault.strerror[:1].lower()}{fault.strerror[1:]}"
    if isinstance(fault, ImportError):
        return _explained_import(fault)
    is_ours = type(fault).__module__.partition(".")[0] in _OUR_PACKAGES
    if is_ours or isinstance(fault, (ValueError, OSError, UnregisteredEnv, DependencyNotInstalled)):
        return " ".join(str(fault).split()) or type(fault).__name__
    return None


def _explained_import(fault: ImportError) -> str | None:
    from neural_env.doctor import foreign_packages

    missing = (fault.name or "").partition(".")[0]
    if missing in _EXTRAS:
        return f"this needs {missing}, which is not installed: pip install 'neural-env[{_EXTRAS[missing]}]'"
    if foreign := foreign_packages():
        return f"{foreign[0]}; `neural-env doctor` says what to do"
    return None


def _complain(name: str, sentence: str) -> int:
    print(f"neural-env {name}: {sentence}", file=sys.stderr)
    return _MISTAKE


def _output_is_closed() -> bool:
    """Whether whoever read our output has left (`neural-env games | head`), rather than a worker of ours."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
    return True


# ---- without a stage ---------------------------------------------------------------------------------------------


def _without_stage(words: Sequence[str]) -> int:
    """Print the stages, or the version; naming no stage, or asking for help, is no mistake."""
    if words[:1] == ["--version"]:
        print(f"neural-env {__version__}")
        return 0
    named = [word for word in words if not word.startswith("-")]
    wants_help = not words or "--help" in words or "-h" in words
    group = [name for name in STAGES if named and name.split()[: len(named)] == named]
    if wants_help and (group or not named):
        print(_stage_list(group or list(STAGES)))
        return 0
    wrong = " ".join(named) or words[0]
    near = difflib.get_close_matches(wrong, STAGES, n=1)
    hint = f" Did you mean `neural-env {near[0]}`?" if near and not group else ""
    problem = f"`{wrong}` needs another word." if group else f"there is no stage `{wrong}`.{hint}"
    print(f"neural-env: {problem}\n\n{_stage_list(group or list(STAGES))}", file=sys.stderr)
    return _MISTAKE


def _stage_list(names: Sequence[str]) -> str:
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {STAGES[name].help}" for name in names]
    return "\n".join(
        [
            "usage: neural-env <stage> [flags]    flags and defaults: neural-env <stage> --help",
            "",
            *lines,
            "",
            "--config file.json gives a stage its values, and flags win over it; --version prints the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
