"""What can be taken away from the Compare page: the figure, the numbers, and the way to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import streamlit as st

from dashboard import gateway
from dashboard.choices import State
from dashboard.views.compare_rows import Line


def draw(shown: State, found: Sequence[Line]) -> None:
    """Two menus: files to download, drawn as `shown` says, and texts to copy."""
    some = list({id(line.explanation): line.explanation for line in found}.values())
    name = some[0].image.name
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Figure (PNG, 300 dpi)",
            data=lambda: gateway.exports.figure(some, shown),
            file_name=f"{name}.png",
            mime="image/png",
            on_click="ignore",
            width="stretch",
        )
        st.download_button(
            "Raw maps (npz, zipped)",
            data=lambda: gateway.exports.raw_maps(some),
            file_name=f"{name}.zip",
            mime="application/zip",
            on_click="ignore",
            width="stretch",
        )
        st.caption(
            "The figure is drawn with the options of the toolbar. The maps are as the methods gave them."
        )
    with st.popover("Copy as", icon=":material/content_copy:"):
        shell, python, bibtex = st.tabs(["Command line", "Python", "BibTeX"])
        file = gateway.collection.file_name(shown)
        prompts = tuple(dict.fromkeys(line.target.text for line in found))
        specs = found[0].explanation.specs
        shell.code(command_line(shown, file, prompts, specs), language="bash", wrap_lines=True)
        python.code(python_code(shown, file, prompts, specs), language="python", wrap_lines=True)
        bibtex.code(references(specs), language="latex", wrap_lines=True)


def command_line(shown: State, file: str, prompts: Sequence[str], specs: Sequence[str]) -> str:
    """The command that computes the same maps of one image, safe to paste into a shell."""
    words = ["python", "-m", "engine", "explain", file]
    for prompt in prompts:
        words += [f"--prompt={prompt}"] if prompt.startswith("-") else ["-p", prompt]
    for spec in specs:
        words += ["-m", spec]
    words += ["--model", shown.model]
    if shown.pretrained:
        words += ["--pretrained", shown.pretrained]
    if shown.resize != State.resize:
        words += ["--resize", shown.resize]
    return shlex.join([*words, "--out", "maps", "--png"])


def python_code(shown: State, file: str, prompts: Sequence[str], specs: Sequence[str]) -> str:
    """The same in Python."""
    model = f"    model={shown.model!r},\n"
    if shown.pretrained:
        model += f"    pretrained={shown.pretrained!r},\n"
    targets = "".join(f"        Target({prompt!r}),\n" for prompt in prompts)
    methods = "".join(f"        {spec!r},\n" for spec in specs)
    return (
        "from engine import Request, Target, explain, load_image\n\n"
        "found = explain(Request(\n"
        f"    image=load_image({file!r}),\n"
        f"    targets=(\n{targets}    ),\n"
        f"    specs=(\n{methods}    ),\n"
        f"{model}"
        f"    resize={shown.resize!r},\n"
        "))\n"
        "for made in found.maps:\n"
        "    print(made.spec, made.target, made.values.shape, made.score)\n"
    )


def references(specs: Sequence[str]) -> str:
    """BibTeX of the methods' papers, each once."""
    known = gateway.models.methods()
    entries = dict.fromkeys(known[spec.partition("(")[0]].bibtex.strip() for spec in specs)
    return "\n\n".join(entry for entry in entries if entry)
