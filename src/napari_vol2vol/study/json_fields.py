"""Read frozen dataclasses from JSON strictly: a mistake names the field, what was found, what is accepted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from napari_vol2vol.errors import SettingsError

Record = TypeVar("Record")
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the object of a JSON file.

    Raises
    ------
    SettingsError
        If the file cannot be read or holds anything but one JSON object; ``what`` says what was wanted.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: could not be read: {error}; accepted is {what}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: found no valid JSON ({error}), accepted is {what}") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: found a JSON {type(value).__name__}, accepted is {what}")
    return value


def decode(kind: type[Record], value: object, where: str) -> Record:
    """Return the dataclass ``kind`` that a JSON object describes; ``where`` stands before field names.

    Raises
    ------
    SettingsError
        If a field is unknown, missing or of the wrong type.
    """
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where}: found {value!r}, accepted is an object")
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := [name for name in value if name not in known]:
        raise SettingsError(f"{where}: found the field {unknown[0]!r}, accepted are {', '.join(known)}")
    found: dict[str, Any] = {}
    for name, field in known.items():
        if name in value:
            found[name] = _value(hints[name], value[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SettingsError(f"{where}: found no field {name!r}, which is needed")
    return kind(**found)


def encode(value: Any) -> Any:
    """Return the JSON value of dataclasses, mappings and tuples; the inverse of `decode`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value that is hashed: sorted keys, no blanks, UTF-8.

    Raises
    ------
    SettingsError
        If the value holds a number that JSON does not know (NaN or infinity).
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"value: found {value!r} ({error}), accepted are values of JSON") from error
    return text.encode()


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: object, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        return _one_of(inner, value, where)
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise SettingsError(f"{where}: found {value!r}, accepted is an object")
        return MappingProxyType({k: _value(inner[1], v, f"{where}.{k}") for k, v in value.items()})
    if isinstance(hint, type) and is_dataclass(hint):
        return decode(hint, value, where)
    return _plain(hint, value, where)


def _one_of(kinds: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not NoneType]
    if len(others) == 1:
        return _value(others[0], value, where)
    for kind in others:
        if type(value) is kind:
            return value
    raise SettingsError(f"{where}: found {value!r}, accepted is {' or '.join(_WORDS[k] for k in kinds)}")


def _tuple(inner: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{where}: found {value!r}, accepted is a list")
    if inner[-1] is Ellipsis:
        return tuple(_value(inner[0], item, f"{where}[{n}]") for n, item in enumerate(value))
    if len(value) != len(inner):
        raise SettingsError(f"{where}: found {len(value)} values, accepted are {len(inner)}")
    return tuple(_value(k, v, f"{where}[{n}]") for n, (k, v) in enumerate(zip(inner, value, strict=True)))


def _plain(hint: Any, value: object, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):  # type: ignore[arg-type]
        raise SettingsError(f"{where}: found {value!r}, accepted is {_WORDS[hint]}")
    return value
