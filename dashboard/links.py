"""The state as a link and as a file, and back.

Nothing that arrives in a link or a file is trusted: what cannot be used is replaced by the default and named
in one sentence.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from dashboard.choices import State
from dashboard.uploads import DIGEST
from engine.types import SidelightError

LONGEST_PROMPT = 10_000  # characters; models read far fewer, and say so
LONGEST_LINK = 6_000  # characters; longer request lines are refused by servers and mail programs
LONGEST_FILE = 64 * 2**20  # characters of a saved state; an upload inside it is the largest part
FORMAT = 1
TYPED = ("prompts", "classes", "picked", "minus", "target")  # may be of any length; the longest is left out


@dataclass(frozen=True)
class Vocabulary:
    """What a link may name here. sets: item ids of each image set. colormaps: their names. spec: canonical
    text of a method spec, or SidelightError. model: SidelightError where (name, pretrained) is unknown.
    upload: whether the file of a digest is on this server."""

    sets: Mapping[str, tuple[str, ...]]
    colormaps: tuple[str, ...]
    spec: Callable[[str], str]
    model: Callable[[str, str], object]
    upload: Callable[[str], bool]


Checked = tuple[State, tuple[str, ...]]  # a usable state, and a sentence for each thing that was replaced


def to_query(state: State) -> dict[str, list[str]]:
    """The URL's query of a state: defaults left out, and of what was typed the longest, until it is
    short enough for a link."""
    query: dict[str, list[str]] = {}
    for item in fields(State):
        value = getattr(state, item.name)
        if value != item.default:
            many = value if isinstance(value, tuple) else (value,)
            query[item.name] = [f"{v:g}" if isinstance(v, float) else str(v) for v in many]
    while (typed := [name for name in TYPED if name in query]) and _length(query) > LONGEST_LINK:
        del query[max(typed, key=lambda name: _length({name: query[name]}))]
    return query


def _length(query: dict[str, list[str]]) -> int:
    return len(urlencode(query, doseq=True))


def linkable(state: State) -> bool:
    """Whether all that was typed fits into the link."""
    query = to_query(state)
    return all(name in query for name in TYPED if getattr(state, name) != getattr(State, name))


def from_query(query: Mapping[str, list[str]], vocabulary: Vocabulary) -> Checked:
    """The state that a link asks for."""
    many = {f.name for f in fields(State) if isinstance(f.default, tuple)}
    return checked({k: v if k in many else v[-1] for k, v in query.items() if v}, vocabulary)


def to_json(state: State, upload: bytes | None = None) -> str:
    """The state as a file, with the bytes of the uploaded image where they shall travel with it."""
    value: dict[str, Any] = {"sidelight": FORMAT, "state": asdict(state)}
    if upload is not None:
        value["upload"] = base64.b64encode(upload).decode("ascii")
    return json.dumps(value, indent=2)


def from_json(text: str | bytes, vocabulary: Vocabulary) -> Checked:
    """The state in a file that `to_json` wrote; SidelightError where it is no such file.

    Keep the image that it carries first (`upload_in`), so that the state may name it.
    """
    return checked(_parsed(text)["state"], vocabulary)


def upload_in(text: str | bytes) -> bytes | None:
    """The uploaded image that a saved state carries, or None; SidelightError where it is damaged."""
    value = _parsed(text).get("upload")
    if value is None:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise SidelightError("The image inside this state file is damaged; save the state again.") from None


def _parsed(text: str | bytes) -> dict[str, Any]:
    if len(text) > LONGEST_FILE:
        raise SidelightError("This state file is larger than 64 MB; choose one that Sidelight saved.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("state"), dict):
        raise SidelightError("This is no saved state; choose a JSON file that Sidelight saved.")
    if value.get("sidelight") != FORMAT:
        raise SidelightError("This state was saved by a newer Sidelight; update this one to open it.")
    return value


def checked(raw: Mapping[str, Any], vocabulary: Vocabulary) -> Checked:
    """A state from untrusted values: text as in a link, or typed as in a file."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for item in fields(State):
        if item.name in raw:
            try:
                values[item.name] = _value(item, raw[item.name])
            except SidelightError as error:
                problems.append(str(error))
    state = State(**values)
    for check in (_known_place, _known_methods, _known_models, _known_looks):
        state, found = check(state, vocabulary)
        problems += found
    return state, tuple(problems)


def _value(item: Field, raw: Any) -> Any:
    """One field's value in its type; SidelightError names what it takes."""
    default = item.default
    if isinstance(default, tuple):
        many = raw if isinstance(raw, (list, tuple)) else [raw]
        return lines("\n".join(v for v in many if isinstance(v, str)))
    if isinstance(default, bool):
        if raw in (True, False, "True", "False"):
            return raw in (True, "True")
        raise SidelightError(f"{item.name} is True or False, not {_short(raw)}.")
    if isinstance(default, (int, float)):
        low, high = item.metadata["range"]
        try:
            number = float(raw)
        except (TypeError, ValueError, OverflowError):
            number = low - 1
        if low <= number <= high:
            return number
        raise SidelightError(f"{item.name} is a number from {low:g} to {high:g}, not {_short(raw)}.")
    if not isinstance(raw, str):
        raise SidelightError(f"{item.name} is a text, not {_short(raw)}.")
    options = item.metadata.get("options")
    if options and raw not in options:
        raise SidelightError(f"{item.name} is one of {', '.join(options)}, not {_short(raw)}.")
    return _clean(raw)


def lines(text: str) -> tuple[str, ...]:
    """The entries of a text with one a line: trimmed, without blank lines and repetitions, in their order."""
    entries = (_clean(line).strip()[:LONGEST_PROMPT] for line in re.split(r"[\r\n]+", text))
    return tuple(dict.fromkeys(entry for entry in entries if entry))


def _clean(text: str) -> str:
    """Lone surrogates cannot be written to a URL, a file or a key; they become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_place(state: State, here: Vocabulary) -> tuple[State, list[str]]:
    problems = []
    if state.image_set not in here.sets:
        other = State.image_set if State.image_set in here.sets else next(iter(here.sets), State.image_set)
        problems.append(f"There is no image set {_short(state.image_set)} here; showing {other}.")
        state = replace(state, image_set=other, image="")
    elif state.image and state.image not in here.sets[state.image_set]:
        problems.append(f"{state.image_set} has no image {_short(state.image)}; showing its first.")
        state = replace(state, image="")
    there = here.sets.get(state.image_set, ())
    if unknown := [name for name in state.like if name not in there]:
        problems.append(f"{state.image_set} has no image {_short(unknown[0])} to be like; it is left out.")
        state = replace(state, like=tuple(name for name in state.like if name in there))
    if state.upload and not DIGEST.fullmatch(state.upload):
        problems.append("The uploaded image that this link names is not valid; upload the image again.")
        state = replace(state, upload="")
    elif state.upload and not here.upload(state.upload):
        problems.append(
            "The uploaded image of this link is not on this server; upload the file to see the same here."
        )
        state = replace(state, upload="")
    return state, problems


def _known_methods(state: State, here: Vocabulary) -> tuple[State, list[str]]:
    specs, problems = [], []
    for text in state.methods:
        try:
            specs.append(here.spec(text))
        except SidelightError as error:
            problems.append(str(error))
    try:
        weighing = here.spec(state.text_method)
    except SidelightError as error:
        problems.append(str(error))
        weighing = State.text_method
    methods = tuple(dict.fromkeys(specs)) or State.methods
    return replace(state, methods=methods, text_method=weighing), problems


def _known_models(state: State, here: Vocabulary) -> tuple[State, list[str]]:
    problems = []
    try:
        here.model(state.model, state.pretrained)
    except SidelightError as error:
        problems.append(f"{error} Showing the bundled model.")
        state = replace(state, model=State.model, pretrained=State.pretrained)
    if state.second_model:
        try:
            here.model(state.second_model, state.second_pretrained)
        except SidelightError as error:
            problems.append(f"{error} Showing one model.")
            state = replace(state, second_model="", second_pretrained="")
    return state, problems


def _known_looks(state: State, here: Vocabulary) -> tuple[State, list[str]]:
    if state.colormap in here.colormaps:
        return state, []
    known = ", ".join(here.colormaps)
    problem = f"There is no colormap {_short(state.colormap)}; the colormaps are {known}."
    return replace(state, colormap=State.colormap), [problem]
