"""The shape of the code, read from its syntax trees: who imports whom, and what is never called.

Every rule is a function from modules to complaints, and every rule is shown to complain about a planted module: a check
that finds nothing because it looks at nothing would pass for ever.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neural_env.doctor import foreign_packages

_ROOT = Path(__file__).parents[1]
_ORDER = ("data_gen", "world_model", "neural_env", "agents", "evaluation")
_EMULATORS = {"ale_py", "vizdoom"}
_UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
_FORBIDDEN_CALLS = {
    *("eval", "exec", "__import__", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("yaml.load", "yaml.unsafe_load", "hydra.utils.instantiate", "numpy.lib.format.read_array"),
}
# Torch archives are training states, read by one file for each kind of run; everything that travels is safetensors.
_TORCH_READERS = {"agents.checkpoint", "world_model.training.checkpoint"}
_FORBIDDEN_KEYWORDS = {"shell": True, "allow_pickle": True, "weights_only": False}
# What a reader of recordings loads must run without Gymnasium and without an emulator.
_LIGHT = [
    *("data_gen", "data_gen.spec", "data_gen.games", "data_gen.policy", "data_gen.actions", "data_gen.atomic"),
    *("data_gen.episode", "data_gen.shard", "data_gen.manifest", "data_gen.recording", "data_gen.windows"),
    "data_gen.plan",
]

Modules = dict[str, ast.Module]  # dotted name -> tree


def _modules() -> Modules:
    files = {file: file.relative_to(_ROOT) for package in _ORDER for file in (_ROOT / package).rglob("*.py")}
    return {_dotted_name(place): ast.parse(file.read_text(), str(file)) for file, place in files.items()}


def _dotted_name(place: Path) -> str:
    parts = place.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _planted(**sources: str) -> Modules:
    """Modules from source text; `__` in a keyword stands for a dot."""
    return {name.replace("__", "."): ast.parse(source) for name, source in sources.items()}


# ---- reading ------------------------------------------------------------------------------------------------------


def _imports(tree: ast.AST, module: str, nodes: Iterator[ast.AST] | None = None) -> Iterator[str]:
    """Every name that is imported, wherever it is; `from a import b` gives `a` and `a.b`."""
    for node in nodes or ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(module.split(".")[: -node.level]) if node.level else ""
            source = ".".join(filter(None, (above, node.module)))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node, {}).endswith("import_module"):
            yield from (str(given.value) for given in node.args[:1] if isinstance(given, ast.Constant))


def _at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: neither function bodies nor `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not is_for_types:
            yield node
            yield from _at_import_time(node)


def _called(call: ast.Call, names: dict[str, str]) -> str:
    """The dotted name of what is called, with the file's own renamings undone."""
    first, dot, rest = ast.unparse(call.func).partition(".")
    return names.get(first, first) + dot + rest


def _renamings(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


# ---- rules --------------------------------------------------------------------------------------------------------


def _arrows_to_the_right(modules: Modules) -> list[str]:
    complaints = []
    for module, tree in modules.items():
        place = _ORDER.index(module.partition(".")[0])
        right = {name for name in _imports(tree, module) if name.partition(".")[0] in _ORDER[place + 1 :]}
        complaints += [f"{module} imports {name}" for name in sorted(right)]
    return complaints


def _cycles(modules: Modules) -> list[str]:
    """Modules that, while they are imported, need one another."""
    needs = {
        module: {name for name in _imports(tree, module, _at_import_time(tree)) if name in modules and name != module}
        for module, tree in modules.items()
    }
    complaints, done = [], set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            complaints.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for needed in sorted(needs[module]):
                visit(needed, (*path, module))
            done.add(module)

    for module in sorted(needs):
        visit(module, ())
    return complaints


def _emulators_outside_data_gen(modules: Modules) -> list[str]:
    outside = {module: tree for module, tree in modules.items() if not module.startswith("data_gen")}
    return _importers(outside, _EMULATORS)


def _gymnasium_in_world_model(modules: Modules) -> list[str]:
    inside = {module: tree for module, tree in modules.items() if module.startswith("world_model")}
    return _importers(inside, {"gymnasium", *_EMULATORS})


def _unpicklers(modules: Modules) -> list[str]:
    return _importers(modules, _UNPICKLERS)


def _importers(modules: Modules, forbidden: set[str]) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, tree in modules.items()
        for name in sorted({name.partition(".")[0] for name in _imports(tree, module)} & forbidden)
    ]


def _forbidden_calls(modules: Modules) -> list[str]:
    complaints = []
    for module, tree in modules.items():
        names = _renamings(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if fault := _forbidden(call, _called(call, names)):
                complaints.append(f"{module}:{call.lineno} {fault}")
    return complaints


def _torch_load_elsewhere(modules: Modules) -> list[str]:
    """Files that so much as name `torch.load`, other than those whose task it is."""
    return [
        f"{module} names torch.load"
        for module, tree in modules.items()
        if module not in _TORCH_READERS and _torch_load_names(tree, _renamings(tree))
    ]


def _torch_load_names(tree: ast.Module, names: dict[str, str]) -> list[str]:
    dotted = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Name))]
    in_full = [names.get(first, first) + dot + rest for first, dot, rest in (name.partition(".") for name in dotted)]
    return [name for name in in_full if name in ("torch.load", "torch.serialization.load")]


def _forbidden(call: ast.Call, name: str) -> str:
    keywords = {each.arg: each.value.value for each in call.keywords if isinstance(each.value, ast.Constant)}
    wrong = [f"{key}={value}" for key, value in _FORBIDDEN_KEYWORDS.items() if keywords.get(key) is value]
    if name in _FORBIDDEN_CALLS or wrong:
        return f"{name}({', '.join(wrong)})"
    if name in ("torch.load", "torch.serialization.load") and keywords.get("weights_only") is not True:
        return "torch.load without weights_only=True"
    return ""


_RULES = [
    _arrows_to_the_right,
    _cycles,
    _emulators_outside_data_gen,
    _gymnasium_in_world_model,
    _unpicklers,
    _forbidden_calls,
    _torch_load_elsewhere,
]


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.__name__.strip("_"))
def test_the_packages_follow_every_rule(rule: Callable[[Modules], list[str]]) -> None:
    modules = _modules()
    assert len(modules) > 30, "the packages were not found"
    assert rule(modules) == []


@pytest.mark.parametrize(
    ("rule", "modules"),
    [
        (_arrows_to_the_right, _planted(data_gen__a="import agents.train")),
        (_arrows_to_the_right, _planted(neural_env__a="def f():\n    from evaluation import gap")),
        (
            _arrows_to_the_right,
            _planted(world_model__a="import importlib\nimportlib.import_module('neural_env.command')"),
        ),
        (_cycles, _planted(data_gen__a="import data_gen.b", data_gen__b="from data_gen import a")),
        (
            _cycles,
            _planted(agents__a="from . import b", agents__b="from agents.c import x", agents__c="import agents.a"),
        ),
        (_emulators_outside_data_gen, _planted(agents__a="import ale_py.roms")),
        (_emulators_outside_data_gen, _planted(evaluation__a="def f():\n    from vizdoom import DoomGame")),
        (_gymnasium_in_world_model, _planted(world_model__a="from gymnasium import spaces")),
        (_unpicklers, _planted(agents__a="import pickle")),
        (_unpicklers, _planted(agents__a="def f():\n    from cloudpickle import loads")),
        (_forbidden_calls, _planted(agents__a="import torch\ntorch.load('x')")),
        (_forbidden_calls, _planted(agents__a="import torch as t\nt.load('x', weights_only=False)")),
        (_forbidden_calls, _planted(agents__a="from torch import load as read\nread('x')")),
        (_forbidden_calls, _planted(agents__a="torch.load('x', weights_only=chosen)")),
        (_torch_load_elsewhere, _planted(world_model__a="import torch\ntorch.load('x', weights_only=True)")),
        (_torch_load_elsewhere, _planted(agents__a="from torch import load as read\nreader = read")),
        (_torch_load_elsewhere, _planted(world_model__training__a="import torch as t\nt.serialization.load('x')")),
        (_forbidden_calls, _planted(agents__a="eval('1')")),
        (_forbidden_calls, _planted(agents__a="exec('1')")),
        (_forbidden_calls, _planted(agents__a="from subprocess import run\nrun('ls', shell=True)")),
        (_forbidden_calls, _planted(agents__a="import os\nos.system('ls')")),
        (_forbidden_calls, _planted(agents__a="from os import system\nsystem('ls')")),
        (_forbidden_calls, _planted(agents__a="import numpy as np\nnp.load('x', allow_pickle=True)")),
        (_forbidden_calls, _planted(agents__a="import yaml\nyaml.load('x')")),
    ],
)
def test_every_rule_finds_what_it_looks_for(rule: Callable[[Modules], list[str]], modules: Modules) -> None:
    assert rule(modules) != []


@pytest.mark.parametrize(
    ("rule", "modules"),
    [
        (_arrows_to_the_right, _planted(agents__a="import data_gen.spec")),
        (_cycles, _planted(data_gen__a="def f():\n    import data_gen.b", data_gen__b="import data_gen.a")),
        (_emulators_outside_data_gen, _planted(data_gen__a="import ale_py")),
        (_forbidden_calls, _planted(agents__a="import torch\ntorch.load('x', weights_only=True)\nnet.eval()")),
        (_forbidden_calls, _planted(agents__a="import yaml\nyaml.safe_load('x')")),
        (_torch_load_elsewhere, _planted(world_model__training__checkpoint="import torch\ntorch.load('x')")),
        (_torch_load_elsewhere, _planted(agents__a="import numpy\nnumpy.load('x')\nload = 1")),
    ],
)
def test_no_rule_complains_about_what_is_allowed(rule: Callable[[Modules], list[str]], modules: Modules) -> None:
    assert rule(modules) == []


# ---- in a fresh interpreter ---------------------------------------------------------------------------------------


def _loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after `statement`."""
    script = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    ended = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_importing_neural_env_loads_nothing_heavy() -> None:
    """`gym.make` by module prefix imports it in every worker process."""
    loaded = _loaded_by("import neural_env, gymnasium; assert 'Real/Pong-v0' in gymnasium.registry")
    assert "data_gen" in loaded
    assert (
        loaded & {"torch", "stable_baselines3", "agents", "evaluation", "cv2", "h5py", "matplotlib", *_EMULATORS}
        == set()
    )


@pytest.mark.parametrize(
    "module",
    [name for name in _LIGHT if (_ROOT / name.replace(".", "/")).with_suffix(".py").exists() or "." not in name],
)
def test_specs_format_and_reader_need_neither_gymnasium_nor_an_emulator(module: str) -> None:
    loaded = _loaded_by(f"import {module}")
    assert "data_gen" in loaded
    assert loaded & {"gymnasium", "torch", "stable_baselines3", *_EMULATORS} == set()


@pytest.mark.parametrize("heavy", ["gymnasium", "ale_py"])
def test_a_heavy_module_would_be_seen(heavy: str) -> None:
    assert heavy in _loaded_by(f"import data_gen, {heavy}")


# ---- the five names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", _ORDER)
def test_each_package_is_ours_and_typed(package: str) -> None:
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).parent == _ROOT / package
    assert (_ROOT / package / "py.typed").is_file()


def test_no_other_distribution_has_taken_one_of_the_names() -> None:
    assert foreign_packages() == []
