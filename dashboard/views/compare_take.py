"""What can be taken away from the Compare page: the figure, the numbers, and the way to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from dashboard import gateway
from dashboard.choices import State
from dashboard.views.compare_rows import Line
from engine.render import Outline
from engine.types import Target

OUT = "maps"  # the folder that a copied command writes to; several commands have one each
CLASSES = "classes.txt"  # where the command line keeps a list of choices


def draw(shown: State, found: Sequence[Line]) -> None:
    """Two menus: files to download, drawn as `shown` says, and texts to copy."""
    some = list({id(line.explanation): line.explanation for line in found}.values())
    name = some[0].image.name
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Figure (PNG, 300 dpi)",
            data=lambda: gateway.exports.figure(some, shown, _outlines(found)),
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
            "The figure looks as the toolbar says, from colours and scale to outlines and transposition. The "
            "maps are as the methods gave them."
        )
    with st.popover("Copy as", icon=":material/content_copy:"):
        shell, python, bibtex = st.tabs(["Command line", "Python", "BibTeX"])
        specs = found[0].explanation.specs
        commands, programs = copies(found)
        shell.code("\n".join(commands), language="bash", wrap_lines=True)
        python.code("\n".join(programs), language="python", wrap_lines=True)
        bibtex.code(references(specs), language="latex", wrap_lines=True)


def _outlines(found: Sequence[Line]) -> dict[str, tuple[Outline, ...]]:
    """The true regions of the rows' images, by digest."""
    return {line.explanation.image.digest: gateway.pictures.outlines(line.state) for line in found}


def copies(found: Sequence[Line]) -> tuple[list[str], list[str]]:
    """What repeats the rows: a command, and Python, for each image and model of theirs."""
    parts: dict[State, list[Line]] = {}
    for line in found:
        parts.setdefault(replace(line.state, prompts=()), []).append(line)
    commands, programs = [], []
    for number, (shown, lines) in enumerate(parts.items(), start=1):
        targets = tuple({line.target.label: line.target for line in lines}.values())
        asked = (targets, lines[0].explanation.specs, _files_of_others(shown))
        file = gateway.collection.file_name(shown)
        out = OUT if len(parts) == 1 else f"{OUT}-{number}"
        commands.append(command_line(shown, file, *asked, out=out))
        programs.append(python_code(shown, file, *asked))
    return commands, programs


def _files_of_others(shown: State) -> dict[str, str]:
    """The files of the other images that are targets, by the target's label."""
    others = gateway.targets.like(shown).items()
    return {
        target.label: gateway.collection.file_name(gateway.collection.other(shown, id))
        for id, target in others
    }


def command_line(
    shown: State,
    file: str,
    targets: Sequence[Target],
    specs: Sequence[str],
    others: Mapping[str, str],
    out: str = OUT,
) -> str:
    """The command that computes the same maps of one image, safe to paste into a shell. others: the files of
    targets that are images, by label. out: the folder that it writes to."""
    words = ["python", "-m", "engine", "explain", file]
    texts = [target for target in targets if target.image is None]
    for target in texts:
        words += [f"--prompt={target.text}"] if target.text.startswith("-") else ["-p", target.text]
    kinds = {target.kind: target for target in texts}
    if "difference" in kinds:
        words.append(f"--minus={kinds['difference'].minus}")
    if "ensemble" in kinds:
        words.append("--templates")
    if "class" in kinds:
        words += ["--classes", CLASSES]
    words += [f"--target-image={others[t.label]}" for t in targets if t.image is not None]
    for spec in specs:
        words += ["-m", spec]
    words += ["--model", shown.model]
    if shown.pretrained:
        words += ["--pretrained", shown.pretrained]
    if shown.resize != State.resize:
        words += ["--resize", shown.resize]
    command = shlex.join([*words, "--out", out, "--png"])
    if "class" not in kinds:
        return command
    return f"printf '%s\\n' {shlex.join(kinds['class'].classes)} > {CLASSES}\n{command}"


def python_code(
    shown: State, file: str, targets: Sequence[Target], specs: Sequence[str], others: Mapping[str, str]
) -> str:
    """The same in Python."""
    model = f"    model={shown.model!r},\n"
    if shown.pretrained:
        model += f"    pretrained={shown.pretrained!r},\n"
    made = "".join(f"        {_target(target, others)},\n" for target in targets)
    methods = "".join(f"        {spec!r},\n" for spec in specs)
    classes = next((target.classes for target in targets if target.kind == "class"), ())
    listed = "".join(f"    {name!r},\n" for name in classes)
    return (
        "from engine import Request, Target, explain, load_image\n\n"
        + (f"classes = (\n{listed})\n" if classes else "")
        + "found = explain(Request(\n"
        f"    image=load_image({file!r}),\n"
        f"    targets=(\n{made}    ),\n"
        f"    specs=(\n{methods}    ),\n"
        f"{model}"
        f"    resize={shown.resize!r},\n"
        "))\n"
        "for made in found.maps:\n"
        "    print(made.spec, made.target, made.values.shape, made.score)\n"
    )


def _target(target: Target, others: Mapping[str, str]) -> str:
    """A target as Python makes it."""
    if target.kind == "text":
        return f"Target({target.text!r})"
    if target.kind == "image":
        return f"Target(kind='image', image=load_image({others[target.label]!r}))"
    more = {"difference": f", minus={target.minus!r}", "class": ", classes=classes"}.get(target.kind, "")
    return f"Target({target.text!r}, {target.kind!r}{more})"


def references(specs: Sequence[str]) -> str:
    """BibTeX of the methods' papers, each once."""
    known = gateway.models.methods()
    entries = dict.fromkeys(known[spec.partition("(")[0]].bibtex.strip() for spec in specs)
    return "\n\n".join(entry for entry in entries if entry)
