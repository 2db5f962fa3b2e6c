"""A stage's config: its dataclass's defaults, beneath a JSON file (`--config`), beneath the flags of the command line.

    flags = ["--out", "runs/pong", "--algo", "dqn", "--algo.buffer", "50000"]
    config = parse_config(TrainConfig, flags, "neural-env agent train")

A field that may be one of several dataclasses, each with a `name: Literal[...]`, is chosen by that name: `--algo dqn`,
or `{"algo": {"name": "dqn"}}` in the file; the flags of the chosen one are `--algo.<field>`. Values are data: a file
names no class and no function.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

_MAX_FILE_BYTES = 1 << 20
_FILE_FLAG = "--config"

Config = TypeVar("Config")


class InvalidConfig(ValueError):
    """A config file that cannot be used; the message names file and key."""


def parse_config(config_type: type[Config], arguments: Sequence[str], prog: str) -> Config:
    """The config that `arguments` ask for. Help and mistakes in the flags end in SystemExit, as with argparse.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Jump:
        ...     height: float
        ...     times: int = 1
        >>> parse_config(Jump, ["--height", "2"], "jump")
        Jump(height=2.0, times=1)
    """
    file = _last_value(arguments, _FILE_FLAG)
    plain = {} if file is None else _read(Path(file))
    try:
        beneath = _beneath(config_type, plain, arguments)
    except InvalidConfig as fault:
        raise InvalidConfig(f"{file}: {fault}") from None
    config: Config = tyro.cli(
        config_type,
        prog=prog,
        description=inspect.getdoc(config_type),
        args=arguments,
        default=beneath,
        config=(tyro.conf.AvoidSubcommands,),
        registry=_rules(config_type),
    )
    return config


def _read(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _MAX_FILE_BYTES:
        raise InvalidConfig(f"{file} has {file.stat().st_size} bytes; a config file has at most {_MAX_FILE_BYTES}")
    try:
        plain = json.loads(file.read_bytes(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise InvalidConfig(f"{file} is not JSON: {fault}") from fault
    return _object(plain, str(file))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _last_value(arguments: Sequence[str], flag: str) -> str | None:
    """What follows the last `flag` in either of its forms, `--flag value` and `--flag=value`."""
    values: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], None], strict=False):  # no arguments: no pairs
        name, equals, value = argument.partition("=")
        if name.replace("_", "-") == flag and (equals or following is not None):
            values.append(value if equals else str(following))
    return values[-1] if values else None


# ---- what lies beneath the flags: the file's values on the dataclass's own ---------------------------------------


def _beneath(
    config_type: type, plain: dict[str, Any], arguments: Sequence[str], path: str = "", base: object = None
) -> Any:
    """The values of `plain`, else those of `base`, else the defaults; what has none stays required."""
    fields = {field.name: field for field in dataclasses.fields(config_type) if field.init}
    _refuse_unknown(plain, fields, path)
    hints = get_type_hints(config_type)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key, default = f"{path}{name}", _default(field, base)
        if choices := _dataclasses_in(hints[name]):
            values[name] = _beneath_chosen(choices, plain.get(name, {}), arguments, key, default)
        else:
            values[name] = _decoded(hints[name], plain[name], key) if name in plain else default
    return _unchecked(config_type, values)


def _beneath_chosen(choices: tuple[type, ...], plain: Any, arguments: Sequence[str], key: str, default: object) -> Any:
    """The same for a field that holds a dataclass: the one that the flag, the file or the default chooses."""
    plain = _object(plain, key)
    base = None if default is tyro.MISSING else default
    if len(choices) == 1:
        return _beneath(choices[0], plain, arguments, f"{key}.", base)
    named = {_choice_name(choice): choice for choice in choices}
    usual = next(iter(named)) if base is None else _choice_name(type(base))
    flag = _last_value(arguments, "--" + key.replace("_", "-"))
    in_file = plain.get("name", flag if flag in named else usual)
    if not isinstance(in_file, str) or in_file not in named:
        raise InvalidConfig(f"{key}.name is {_shown(in_file)}; expected one of {', '.join(named)}")
    chosen = flag if flag in named else in_file  # a flag that names none of them is tyro's to refuse

    def values_of(name: str, plain: dict[str, Any]) -> Any:
        return _beneath(named[name], plain, arguments, f"{key}.", base if type(base) is named[name] else None)

    beneath = values_of(in_file, plain)
    return beneath if chosen == in_file else values_of(chosen, {})


def _default(field: dataclasses.Field[Any], base: object) -> Any:
    if base is not None:
        return getattr(base, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return tyro.MISSING if field.default is dataclasses.MISSING else field.default


def _unchecked(config_type: type, values: dict[str, Any]) -> Any:
    """An instance that may lack required values, so that its own checks must wait."""
    instance: Any = object.__new__(config_type)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance


# ---- two flags that the dataclasses do not have ------------------------------------------------------------------


def _rules(config_type: type) -> ConstructorRegistry:
    """The usual rule for dataclasses, with `--config`, and with a flag `--<field>` for a choice between dataclasses."""
    registry = ConstructorRegistry()
    selectors = dict(_selectors(config_type))
    within: list[type] = []  # those for which tyro's own rule is being asked

    @registry.struct_rule
    def with_our_flags(info: StructTypeInfo) -> StructConstructorSpec | None:
        if (info.type is not config_type and info.type not in selectors) or info.type in within:
            return None
        within.append(info.type)
        spec = ConstructorRegistry.get_struct_spec(info)
        within.remove(info.type)
        assert isinstance(spec, StructConstructorSpec)
        if info.type is config_type:
            return StructConstructorSpec(lambda config, **fields: config_type(**fields), (*spec.fields, _FILE_FIELD))
        selector = selectors[info.type]
        fields = (dataclasses.replace(each, type=selector) if each.name == "name" else each for each in spec.fields)
        return StructConstructorSpec(spec.instantiate, tuple(fields))

    return registry


_FILE_FIELD = StructFieldSpec(
    name="config",
    type=cast(type, Annotated[Path | None, tyro.conf.arg(metavar="FILE")]),
    default=None,
    helptext="JSON file with values for any of these; flags win over it",
)


def _selectors(config_type: type, path: str = "") -> Iterator[tuple[type, Any]]:
    """Each dataclass that is one of several, and what its `name` is on the command line."""
    for name, hint in get_type_hints(config_type).items():
        choices = _dataclasses_in(hint)
        for choice in choices:
            if len(choices) > 1:
                flag = tyro.conf.arg(
                    name=f"{path}{name}", prefix_name=False, help=f"which of them; its own flags are --{path}{name}.*"
                )
                names = tuple(map(_choice_name, choices))
                yield choice, Annotated[Literal[names], flag]
            yield from _selectors(choice, f"{path}{name}.")


def _dataclasses_in(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a field may hold, if it holds nothing else."""
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return members if all(_is_dataclass(member) for member in members) else ()


def _is_dataclass(hint: Any) -> TypeGuard[type]:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _choice_name(config_type: type) -> str:
    (name,) = get_args(get_type_hints(config_type)["name"])
    return str(name)


# ---- values of a file --------------------------------------------------------------------------------------------


def _refuse_unknown(plain: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> None:
    for key in plain:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = (
                f"did you mean {path}{near[0]}?" if near else f"known are {', '.join(path + name for name in fields)}"
            )
            raise InvalidConfig(f"there is no {path}{key}; {hint}")


def _object(plain: Any, key: str) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise InvalidConfig(f"{key} is {_shown(plain)}; expected a JSON object")
    return plain


def _decoded(hint: Any, plain: Any, key: str) -> Any:
    """A value as JSON has it -> as the field has it, or InvalidConfig."""
    for value in _readings(hint, plain, key):
        return value
    raise InvalidConfig(f"{key} is {_shown(plain)}; expected {_type_name(hint)}")


def _readings(hint: Any, plain: Any, key: str) -> Iterator[Any]:
    """What `plain` may mean as a `hint`; nothing if it does not fit."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _readings(inner[0], plain, key)
    elif origin in (Union, UnionType):
        for member in inner:
            yield from _readings(member, plain, key)
    elif origin is Literal:
        yield from (choice for choice in inner if choice == plain and type(choice) is type(plain))
    elif origin is tuple and isinstance(plain, list):
        hints = (inner[0],) * len(plain) if inner[-1] is Ellipsis else inner
        if len(hints) == len(plain):
            items = enumerate(zip(hints, plain, strict=True))
            yield tuple(_decoded(each, item, f"{key}.{place}") for place, (each, item) in items)
    elif origin is dict and isinstance(plain, dict):
        yield {name: _decoded(inner[1], item, f"{key}.{name}") for name, item in plain.items()}
    elif hint is float and type(plain) in (int, float):
        yield float(plain)
    elif hint is Path and isinstance(plain, str):
        yield Path(plain)
    elif hint is Any or (hint in (bool, int, str, NoneType) and type(plain) is hint):
        yield plain


def _shown(plain: Any) -> str:
    text = json.dumps(plain)
    return text if len(text) <= 80 else text[:77] + "..."


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint).replace("typing.", "")
