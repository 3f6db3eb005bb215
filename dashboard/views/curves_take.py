"""What can be taken away from the Curves page: the figure, the numbers, and the way to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import gateway
from dashboard.choices import State
from dashboard.views.curves_parts import Parts

if TYPE_CHECKING:
    from engine.curves import Protocol
    from engine.runs import RunRequest
    from engine.types import Request

FIGURES = {
    "png": ("Figure (PNG, 300 dpi)", "image/png"),
    "svg": ("Figure (SVG)", "image/svg+xml"),
    "pdf": ("Figure (PDF)", "application/pdf"),
}


CLASSES = "classes.txt"  # where the command line keeps a list of classes


def draw(shown: State, of: Parts) -> None:
    """Two menus: files to download, and texts to copy."""
    _download(of)
    asked, file = gateway.maps.request(shown), gateway.collection.file_name(shown)
    with st.popover("Copy as", icon=":material/content_copy:"):
        shell, python = st.tabs(["Command line", "Python"])
        shell.code(command_line(asked, of.found.protocol, file), language="bash", wrap_lines=True)
        python.code(
            python_code(asked, of.found.protocol, of.prompt, file), language="python", wrap_lines=True
        )


def _download(of: Parts) -> None:
    with st.popover("Download", icon=":material/download:"):
        if not of.found.curves:
            st.caption("There are no curves yet.")
            return
        name = f"{of.found.image.name} curves"
        for form, (label, mime) in FIGURES.items():
            _button(label, lambda form=form: gateway.curves.figure(of.found, form), f"{name}.{form}", mime)
        _button("All points (CSV)", lambda: gateway.curves.table(of.found), f"{name}.csv", "text/csv")
        _button(
            "All curves (npz)",
            lambda: gateway.curves.arrays(of.found),
            f"{name}.npz",
            "application/octet-stream",
        )
        st.caption(
            "The figure has both curves with the most relevant units first; the files have both orders."
        )


def _button(label: str, data, file_name: str, mime: str) -> None:
    st.download_button(label, data=data, file_name=file_name, mime=mime, on_click="ignore", width="stretch")


def command_line(asked: Request, protocol: Protocol, file: str) -> str:
    """The command that computes the curves of all prompts in effect, safe to paste into a shell."""
    words = ["python", "-m", "engine", "curves", file]
    for target in asked.targets:
        words += [f"--prompt={target.text}"] if target.text.startswith("-") else ["-p", target.text]
    for spec in asked.specs:
        words += ["-m", spec]
    before, options = protocol_options(protocol)
    words += [*options, *model_options(asked)]
    return before + shlex.join([*words, "--out", "curves"])


def protocol_options(protocol: Protocol) -> tuple[str, list[str]]:
    """What the command line's words are for a protocol, and the command that writes its list of classes
    first, or nothing."""
    preset, keywords = gateway.curves.recipe(protocol)
    words = ["--preset", preset] if preset != State.preset else []
    classes = keywords.pop("classes", ())
    for name, value in keywords.items():
        words += [f"--{name}", str(value)]
    if not classes or isinstance(classes, str):
        return "", words + (["--classes", classes] if classes else [])
    return f"printf '%s\\n' {shlex.join(classes)} > {CLASSES}\n", [*words, "--classes", CLASSES]


def model_options(asked: Request | RunRequest) -> list[str]:
    """The command line's words for the model."""
    words = ["--model", asked.model]
    if asked.pretrained:
        words += ["--pretrained", asked.pretrained]
    if asked.resize != State.resize:
        words += ["--resize", asked.resize]
    return words


def python_code(asked: Request, protocol: Protocol, prompt: str, file: str) -> str:
    """The curves of the shown prompt in Python; the others count for methods that mix prompts."""
    preset, keywords = gateway.curves.recipe(protocol)
    made = "".join(f", {name}={value!r}" for name, value in keywords.items())
    pretrained = f"        pretrained={asked.pretrained!r},\n" if asked.pretrained else ""
    return (
        "from engine import Request, Target, load_image\n"
        "from engine.curves import CurveRequest, altered, compute, preset\n\n"
        f"protocol = altered(preset({preset!r}){made})\n"
        "found = compute(CurveRequest(\n"
        "    Request(\n"
        f"        image=load_image({file!r}),\n"
        f"        targets=(\n{_lines(f'Target({t.text!r})' for t in asked.targets)}        ),\n"
        f"        specs=(\n{_lines(map(repr, asked.specs))}        ),\n"
        f"        model={asked.model!r},\n"
        f"{pretrained}"
        f"        resize={asked.resize!r},\n"
        "    ),\n"
        "    protocol,\n"
        f"    only={prompt!r},\n"
        "))\n"
        "for curve in found.curves:\n"
        "    print(curve.spec, curve.auc, curve.deletion, curve.insertion)\n"
    )


def _lines(values: Iterable[str]) -> str:
    return "".join(f"            {value},\n" for value in values)
