"""Numbers, names and times of the Benchmark page, for reading."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.views import compare_rows

if TYPE_CHECKING:
    from engine.runs import Metric

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
ARROWS = {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}", None: ""}
BETTER = {True: "higher is better", False: "lower is better", None: "neither end is better"}


def number(value: float, signed: bool = False) -> str:
    """About three digits, as many decimals as they need."""
    if math.isnan(value):
        return NONE
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    return f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", MINUS)


def interval(low: float, high: float, signed: bool = False) -> str:
    """Both ends, or '' where there are none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{number(low, signed)} to {number(high, signed)}"


def p_value(p: float) -> str:
    if math.isnan(p):
        return f"p {NONE}"
    return "p < .001" if p < 0.001 else "p 1" if p > 0.995 else f"p {p:.3f}".replace("0.", ".", 1)


def duration(seconds: float) -> str:
    """Seconds in words, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count(number: float, noun: str) -> str:
    """'1 image', '2 images'."""
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def when(seconds: float) -> str:
    """A time since the epoch as a date."""
    return f"{datetime.fromtimestamp(seconds):%d %b %Y, %H:%M}"


def axis(metric: Metric) -> str:
    """A metric as the title of an axis."""
    return f"{metric.title} ({metric.unit}) · {BETTER[metric.higher]}"


def name(spec: str) -> str:
    """A spec for reading."""
    return compare_rows.name(spec)
