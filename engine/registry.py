"""The methods, as data: one decorated function each, found by command line, dashboard, store and tests.

Importing this module and the method files loads no torch, so that a stored map can be found without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from engine.types import Branch, SidelightError

ALL = 10**6  # "every block", for models of any depth


@dataclass(frozen=True)
class Needs:
    """What a method reads of a recording, counted in blocks from the last one (see engine.trace.record).

    blocks: blocks whose q, k, v and attention are kept. grads: blocks whose gradients are read, with respect
    to the Layer fields `wrt`. single: blocks run with one head of full width, as Grad-ECLIP's authors do.
    """

    blocks: int = 1
    grads: int = 0
    wrt: tuple[str, ...] = ()
    single: int = 0


@dataclass(frozen=True)
class Parameter:
    """One keyword of a method. choices: the allowed values of a choice, and words that a number may be
    instead; a number lies within [low, high]."""

    name: str
    default: Any
    kind: str  # 'choice', 'int', 'float' or 'bool'
    help: str
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    optional: bool = False

    def check(self, value: Any, method: str) -> Any:
        """`value` in its canonical type; SidelightError names what is allowed."""
        if value is None and self.optional:
            return None
        if value in self.choices and type(value) in {type(c) for c in self.choices}:
            return value
        if self.kind == "bool" and isinstance(value, bool):
            return value
        if self.kind in ("int", "float") and isinstance(value, (int, float)) and not isinstance(value, bool):
            whole = self.kind == "float" or isinstance(value, int) or value.is_integer()
            low_ok = self.low is None or value >= self.low
            high_ok = self.high is None or value <= self.high
            if whole and low_ok and high_ok:
                return float(value) if self.kind == "float" else int(value)
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
        raise SidelightError(f"{method}: {self.name}={shown} is not valid; it takes {self.valid()}.")

    def valid(self) -> str:
        """The allowed values in words."""
        words = ", ".join(map(repr, self.choices))
        if self.kind == "choice":
            text = words
        elif self.kind == "bool":
            text = "True or False"
        else:
            noun = (f"{words} or " if words else "") + ("a whole" if self.kind == "int" else "a") + " number"
            if self.low is not None and self.high is not None:
                text = f"{noun} from {self.low:.10g} to {self.high:.10g}"
            elif self.low is not None:
                text = f"{noun} of at least {self.low:.10g}"
            else:
                text = noun
        return text + (" or None" if self.optional else "")


@dataclass(frozen=True)
class Method:
    """A registered method: what it computes, where it comes from and what it asks of a model."""

    name: str
    title: str
    year: int | None
    paper: str
    url: str
    family: str
    branches: tuple[Branch, ...]
    signed: bool
    text_specific: bool
    requires: tuple[str, ...]
    cost: str
    unit: str
    version: int
    summary: str
    formula: str  # LaTeX lines, in the symbols that the Methods page explains
    departures: str
    bibtex: str
    mixes_prompts: Callable[[Mapping[str, Any]], bool] = field(repr=False)
    own_score: str
    parameters: tuple[Parameter, ...]
    needs: Callable[[Mapping[str, Any]], Needs] = field(repr=False)
    run: Callable[..., Any] = field(repr=False)

    def refusal(self, offers: frozenset[str]) -> str:
        """Why a tower that offers this (of engine.types.FEATURES) cannot run it, in a sentence; '' where it
        can."""
        lacking = [feature for feature in self.requires if feature not in offers]
        if not lacking:
            return ""
        return f"{self.title} needs {' and '.join(lacking)}, which this model's tower does not offer."

    def full(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, checked, with defaults filled in."""
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                raise SidelightError(
                    f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}."
                )
        return {n: p.check(given[n], self.name) if n in given else p.default for n, p in known.items()}


METHODS: dict[str, Method] = {}


@dataclass(frozen=True)
class Spec:
    """A method with its parameters. `str(spec)` is the canonical text: sorted keys, defaults left out."""

    method: Method
    params: tuple[tuple[str, Any], ...]  # every parameter, sorted by name

    def __str__(self) -> str:
        defaults = {p.name: p.default for p in self.method.parameters}
        given = [f"{k}={v!r}" for k, v in self.params if v != defaults[k]]
        return self.method.name + (f"({', '.join(given)})" if given else "")

    def needs(self) -> Needs:
        return self.method.needs(dict(self.params))

    def mixes_prompts(self) -> bool:
        """Whether a prompt's map depends on the other prompts."""
        return self.method.mixes_prompts(dict(self.params))


@dataclass(frozen=True)
class Range:
    """Marks a number parameter: `layers: Annotated[int, Range(1, None, "how many last blocks")]`."""

    low: float | None
    high: float | None
    help: str


@dataclass(frozen=True)
class Help:
    """Marks a choice or a switch: `heads: Annotated[Literal['model', 'single'], Help('...')]`."""

    text: str


def _parameter(p: inspect.Parameter, hint: Any) -> Parameter:
    kind, note = get_args(hint)[:2]
    text = note.text if isinstance(note, Help) else note.help if isinstance(note, Range) else ""
    if get_origin(kind) is Literal:
        return Parameter(p.name, p.default, "choice", text, choices=get_args(kind))
    if kind is bool:
        return Parameter(p.name, p.default, "bool", text)
    number, *others = get_args(kind) or (kind,)  # `int | None`, `int | Literal['all', 'last']`
    words = tuple(word for other in others for word in get_args(other))
    return Parameter(
        p.name, p.default, number.__name__, text, words, note.low, note.high, optional=NoneType in others
    )


def _of_params(value: Any) -> Callable[[Mapping[str, Any]], Any]:
    return value if callable(value) else lambda _params: value


def method(
    *,
    title: str,
    family: str,
    cost: str,
    year: int | None = None,
    paper: str = "",
    url: str = "",
    branches: tuple[Branch, ...] = ("image",),
    signed: bool = False,
    text_specific: bool = True,
    requires: tuple[str, ...] = (),
    unit: str = "relevance",
    version: int = 1,
    formula: str = "",
    departures: str = "",
    bibtex: str = "",
    mixes_prompts: bool | Callable[[Mapping[str, Any]], bool] = False,
    own_score: str = "",
    needs: Needs | Callable[[Mapping[str, Any]], Needs] = Needs(),
) -> Callable:
    """Register a method. The function's name is the method's name, its keyword-only arguments (annotated with
    `Annotated[type, Range | Help]`) its parameters, and its docstring what the Methods page prints."""

    def register(run: Callable) -> Callable:
        # Only the parameters' hints are evaluated: Trace and Tensor are not there at run time.
        params = tuple(
            _parameter(p, eval(p.annotation, run.__globals__))
            for p in inspect.signature(run).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        )
        METHODS[run.__name__] = Method(
            name=run.__name__, title=title, year=year, paper=paper, url=url, family=family,
            branches=branches, signed=signed, text_specific=text_specific, requires=requires, cost=cost,
            unit=unit, version=version, summary=inspect.getdoc(run) or "", formula=formula,
            departures=departures, bibtex=bibtex, mixes_prompts=_of_params(mixes_prompts),
            own_score=own_score, parameters=params,
            needs=_of_params(needs), run=run,
        )  # fmt: skip
        return run

    return register
