"""Configs as plain JSON types and back, strictly: what a file says is data, and has exactly the fields it must have.

    plain = to_plain(config)                   # dicts, lists, strings, numbers
    config = from_plain(WorldConfig, plain)    # or InvalidConfig: "tokenizer.channels is true; expected int"

A field that may hold one of several dataclasses is told apart by their `name: Literal[...]`. No string of a file is
ever resolved to a class, a function or a module. Knows nothing of torch.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from data_gen.spec import GameSpec

_MAX_DEPTH = 32  # of lists and objects within each other
_MAX_SHOWN = 80  # characters of a wrong value in a message

Config = TypeVar("Config")


class InvalidConfig(ValueError):
    """A config that is not what it must be; the message names the path, what was found and what was expected."""


def to_plain(config: Any) -> dict[str, Any]:
    """A dataclass as JSON types; `from_plain` is the inverse, and whether it is one is checked here.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Jump:
        ...     heights: tuple[float, ...]
        >>> to_plain(Jump((1.0, 2.5)))
        {'heights': [1.0, 2.5]}
    """
    kind = type(config)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), allow_nan=False))
    except (TypeError, ValueError) as fault:
        raise InvalidConfig(f"{kind.__name__} has no form in JSON: {fault}") from fault
    if from_plain(kind, plain) != config:
        raise InvalidConfig(f"{kind.__name__} changes on its way through JSON; its fields must hold what they declare")
    return plain


def from_plain(kind: type[Config], plain: Any, path: str = "") -> Config:
    """The dataclass `kind` that `plain` describes; `path` is where it stands in its file.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Jump:
        ...     times: int
        >>> from_plain(Jump, {"times": True})
        Traceback (most recent call last):
            ...
        world_model.plain_config.InvalidConfig: times is true; expected int
    """
    config: Config = _decoded(kind, plain, path)
    return config


def read_json(content: bytes) -> Any:
    """JSON of moderate depth, without the numbers that JSON does not have, and without a key that occurs twice.

    Example:
        >>> read_json(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
            ...
        world_model.plain_config.InvalidConfig: it is not JSON of ours: the key "a" occurs twice
    """
    try:
        plain = json.loads(content.decode(), parse_constant=_refuse_constant, object_pairs_hook=_without_doubles)
        _require_shallow(plain)
    except (ValueError, RecursionError) as fault:
        raise InvalidConfig(f"it is not JSON of ours: {fault}") from fault
    return plain


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in pairs:
        if key in plain:
            raise ValueError(f"the key {_shown(key)} occurs twice")
        plain[key] = value
    return plain


def _require_shallow(plain: Any) -> None:
    level = [plain]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, (dict, list)) for inner in _within(outer)]
    if level:
        raise ValueError(f"it is nested deeper than {_MAX_DEPTH} levels")


def _within(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


# ---- one value ----------------------------------------------------------------------------------------------------


def _decoded(hint: Any, plain: Any, path: str) -> Any:
    """A value as JSON has it -> as a field of type `hint` has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(inner, plain, path)
    if origin is tuple and isinstance(plain, list):
        return _tuple(inner, plain, path)
    if origin is dict and isinstance(plain, dict):
        return {key: _decoded(inner[1], value, _below(path, key)) for key, value in plain.items()}
    if origin is Literal and any(type(choice) is type(plain) and choice == plain for choice in inner):
        return plain
    if hint is Any:
        return _open_value(plain, path)
    if dataclasses.is_dataclass(hint) and isinstance(plain, dict):
        return _dataclass(hint, plain, path)
    if hint is float and type(plain) in (int, float):
        return _finite(plain, path)
    if hint in (bool, int, str, NoneType) and type(plain) is hint:
        return plain
    raise _wrong(plain, path, _type_name(hint))


def _dataclass(kind: Any, plain: dict[str, Any], path: str) -> Any:
    hints = _hints(kind)
    values = {name: _decoded(hints[name], value, _below(path, name)) for name, value in plain.items() if name in hints}
    try:
        if kind is GameSpec:
            return GameSpec.from_dict(plain | values)
        if plain.keys() != hints.keys():
            unknown, missing = sorted(plain.keys() - hints.keys()), sorted(hints.keys() - plain.keys())
            raise ValueError(f"unknown fields {_shown(unknown)}, missing fields {_shown(missing)}")
        return kind(**values)
    except InvalidConfig:
        raise
    except ValueError as fault:
        raise InvalidConfig(f"{path}: {fault}" if path else str(fault)) from fault


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The type of each field."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _one_of(members: tuple[Any, ...], plain: Any, path: str) -> Any:
    """The value of a union: by its name if the members are dataclasses, else as the first member that it fits."""
    if plain is None and NoneType in members:
        return None
    members = tuple(member for member in members if member is not NoneType)
    if len(members) > 1 and all(map(dataclasses.is_dataclass, members)):
        members = (_named(members, plain, path),)
    if len(members) == 1:
        return _decoded(members[0], plain, path)
    for member in members:
        with suppress(InvalidConfig):
            return _decoded(member, plain, path)
    raise _wrong(plain, path, " or ".join(map(_type_name, members)))


def _named(members: tuple[Any, ...], plain: Any, path: str) -> Any:
    """The dataclass whose name `plain` bears."""
    named = {get_args(_hints(member)["name"])[0]: member for member in members}
    if not isinstance(plain, dict):
        raise _wrong(plain, path, f"an object whose name is {_listed(named)}")
    name = plain.get("name")
    if not isinstance(name, str) or name not in named:
        raise _wrong(name, _below(path, "name"), _listed(named))
    return named[name]


def _tuple(inner: tuple[Any, ...], plain: list[Any], path: str) -> tuple[Any, ...]:
    hints = (inner[0],) * len(plain) if inner[-1] is Ellipsis else inner
    if len(hints) != len(plain):
        raise _wrong(plain, path, f"{len(hints)} values")
    items = enumerate(zip(hints, plain, strict=True))
    return tuple(_decoded(hint, value, _below(path, str(place))) for place, (hint, value) in items)


def _open_value(plain: Any, path: str) -> Any:
    """A value of any JSON type, as it is."""
    if isinstance(plain, dict):
        return {key: _open_value(value, _below(path, key)) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_open_value(value, _below(path, str(place))) for place, value in enumerate(plain)]
    if type(plain) is float:
        return _finite(plain, path)
    return plain


def _finite(plain: float, path: str) -> float:
    try:
        number = float(plain)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(plain, path, "a finite number")
    return number


# ---- words --------------------------------------------------------------------------------------------------------


def _wrong(plain: Any, path: str, expected: str) -> InvalidConfig:
    return InvalidConfig(f"{path or 'the config'} is {_shown(plain)}; expected {expected}")


def _below(path: str, name: str) -> str:
    return f"{path}.{name[:_MAX_SHOWN]}" if path else name[:_MAX_SHOWN]


def _shown(plain: Any) -> str:
    text = json.dumps(plain)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _listed(names: Any) -> str:
    return " or ".join(map(repr, names))


def _type_name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return _listed(get_args(hint))
    if dataclasses.is_dataclass(hint):
        return "an object"
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)
