"""`vol2vol study ...`: reader studies from design to report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from napari_vol2vol.commands.terminal import errors, out, print_json
from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.study.audit import Finding

Folder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def new(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder to make.")],
    preset: Annotated[str, typer.Option(help="mfm-paper: 20 pairs and 20 single volumes.")] = "mfm-paper",
    real: Annotated[Path | None, typer.Option(help="Folder of real volumes.")] = None,
    generated: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of generated volumes with the same file names; repeatable."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make procedural torsos to try it out.")] = False,
    readers: Annotated[str, typer.Option(help="Codes of the readers, with commas.")] = "R1,R2",
    pairs: Annotated[int, typer.Option(min=0, help="Pairs of each system.")] = 20,
    singles: Annotated[int, typer.Option(min=0, help="Single volumes of each system.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")] = 0,
    window: Annotated[str, typer.Option(help="Preset of CT, or none: percentiles.")] = "abdomen",
    margin: Annotated[float | None, typer.Option(help="Equivalence margin: 0.15 is 15 points.")] = None,
    analysis: Annotated[
        str, typer.Option(help="superiority, equivalence or non-inferiority.")
    ] = "superiority",
) -> None:
    """Write a study file that can be edited before it is frozen."""
    from napari_vol2vol.study.check import refuse_problems
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.preset import PRESETS, mfm_paper

    study_folder = StudyFolder(folder)
    if study_folder.design.exists():
        raise SettingsError(f"study: found {study_folder.design}, accepted is a new folder")
    if preset not in PRESETS:
        raise SettingsError(f"preset: found {preset!r}, accepted are {', '.join(PRESETS)}")
    cases = _demo_cases(folder, pairs + singles) if demo else _cases(real, generated or [])
    study = mfm_paper(
        folder.name, cases, readers=[r.strip() for r in readers.split(",")], pairs=pairs, singles=singles,
        seed=seed, window=None if window == "none" else window, margin=margin, analysis=analysis,
    )  # fmt: skip
    refuse_problems(study, folder)
    study_folder.save(study)
    blocks = ", ".join(f"{block.name} {len(block.items)}" for block in study.blocks)
    out.print(f"wrote {study_folder.design}: {len(study.cases)} cases; {blocks}")


def check(folder: Folder, as_json: AsJson = False) -> None:
    """Tell everything that is wrong with a study, and audit its volumes for leaks."""
    from napari_vol2vol.study.check import problems
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.freeze import audit_sources
    from napari_vol2vol.study.json_fields import encode

    study = StudyFolder(folder).study()
    found = problems(study, folder)
    findings = [] if found else audit_sources(study, folder)
    if as_json:
        print_json({"problems": found, "leaks": encode(findings)})
    for problem in found:
        errors.print(f"[red]problem:[/red] {escape(problem)}")
    if found:
        raise typer.Exit(1)
    if not as_json:
        _print_findings("in the volumes as they came", findings)
        out.print("no problems; freezing makes volumes alike and audits the copies again")


def freeze(
    folder: Folder,
    accept_leaks: Annotated[
        bool, typer.Option(help="Freeze although copies leak; the report says so.")
    ] = False,
    harmonise: Annotated[bool, typer.Option(help="Make the copies alike.")] = True,
) -> None:
    """Make blinded copies, key and plan; possible until the first answer."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.freeze import freeze as run

    study_folder = StudyFolder(folder)
    frozen = run(study_folder, accept_leaks=accept_leaks, harmonise=harmonise, say=_say)
    _print_findings("in the blinded copies", frozen.after)
    trials = ", ".join(f"{reader} {len(own)}" for reader, own in frozen.trials.items())
    out.print(f"froze {frozen.study.sha256[:12]}; trials: {trials}; give readers {study_folder.reading}")


def read(
    folder: Annotated[Path, typer.Argument(metavar="READING", help="The folder that readers get.")],
    reader: Annotated[str, typer.Option(help="Code of the reader.")],
    convention: Annotated[
        str, typer.Option(help="radiological (patient's right on screen left) or neurological.")
    ] = "radiological",
    drag_up: Annotated[
        str, typer.Option(help="What an upward right-drag does: darker or brighter.")
    ] = "darker",
) -> None:
    """Open the reading window, full screen, in a process of its own; napari is not needed."""
    import subprocess

    from napari_vol2vol.anatomical_planes import CONVENTIONS
    from napari_vol2vol.study.reading_set import read_reading_set

    read_reading_set(folder).trials(reader)
    for name, found, accepted in (
        ("convention", convention, CONVENTIONS),
        ("drag-up", drag_up, ("darker", "brighter")),
    ):
        if found not in accepted:
            raise SettingsError(f"{name}: found {found!r}, accepted are {' and '.join(accepted)}")
    settings = ["--reader", reader, "--convention", convention, "--drag-up", drag_up]
    window = [sys.executable, "-m", "napari_vol2vol.ui.reading", str(folder), *settings]
    if code := subprocess.run(window, check=False).returncode:
        raise typer.Exit(1 if code < 0 else code)


def rehearse(
    folder: Folder,
    copy: Annotated[Path, typer.Argument(metavar="COPY", help="Folder to make.")],
    robots: Annotated[str, typer.Option(help="Who reads, with commas.")] = "perfect,random,biased",
) -> None:
    """Let robots read a copy of a frozen study, and write its report."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.rehearsal import rehearse as run

    run(StudyFolder(folder), copy, [robot.strip() for robot in robots.split(",")])
    analyse(copy)


def plan(
    n: Annotated[int | None, typer.Option(min=1, help="Trials; by default those of --study.")] = None,
    study: Annotated[Path | None, typer.Option(help="A study's folder: its blocks and margin.")] = None,
    true: Annotated[float, typer.Option(min=0, max=1, help="Share of right answers to be found.")] = 0.7,
    margin: Annotated[float | None, typer.Option(help="Equivalence margin.")] = None,
    power: Annotated[float, typer.Option(help="Power wanted.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Level of the tests.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Tell what a number of trials can show, and how many are needed."""
    from napari_vol2vol.study.planner import plan_of, plan_words

    sizes = {"trials": n} if n is not None else {}
    if study is not None:
        from napari_vol2vol.study.folder import StudyFolder

        design = StudyFolder(study).study()
        sizes |= {block.name: len(block.items) for block in design.blocks}
        margin, alpha = design.margin if margin is None else margin, design.alpha
    found = plan_of(sizes or {"trials": 20}, true=true, margin=margin, power=power, alpha=alpha)
    if as_json:
        print_json(found)
        return
    for line in plan_words(found):
        sys.stdout.write(line + "\n")


def merge(
    folder: Folder,
    copies: Annotated[list[Path], typer.Argument(help="Folders or .sqlite files of other copies.")],
) -> None:
    """Bring in readings from other copies of the study."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.merge import merge as run

    for merged in run(StudyFolder(folder), copies):
        out.print(f"{merged.reader}: {merged.answers} answers, {merged.new} of them new")


def verify(folder: Folder) -> None:
    """Compute every hash of the readings anew."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.merge import verify as run

    for found in run(StudyFolder(folder).reading):
        out.print(f"{found.reader}: {found.answers} answers in {found.events} events, head {found.head[:12]}")


def lock(
    folder: Folder,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Although readers have not finished.")
    ] = False,
) -> None:
    """End the reading, before anything is unblinded."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.merge import lock as run

    body = run(StudyFolder(folder), incomplete=incomplete)
    for reader, warnings in body["washout"].items():
        for warning in warnings:
            errors.print(f"[yellow]{escape(reader)}: {escape(warning)}[/yellow]")
    out.print(f"locked {sum(r['answers'] for r in body['readers'].values())} answers")


def analyse(
    folder: Folder,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder (STUDY/results).")] = None,
    as_json: AsJson = False,
) -> None:
    """Unblind a locked study; write report, results, readings and exports."""
    from napari_vol2vol.study.folder import StudyFolder
    from napari_vol2vol.study.report.write import write_report

    study = StudyFolder(folder)
    found = write_report(study, output)
    if as_json:
        print_json(found)
        return
    for contest in found["contests"]:
        out.print(f"[bold]{escape(contest['block'])}, {escape(contest['treatment'])}[/bold]")
        for reader, own in contest["readers"].items():
            out.print(f"  {reader}: {_words(own)}", highlight=False)
        out.print(f"  {escape(contest['verdict'])}", highlight=False)
    _say(f"wrote {output or study.results}")


def calibrate(
    runs: Annotated[int, typer.Option(min=1, help="Simulated studies of each row.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Simulate studies in which there is nothing to find, and tell how often each test finds something."""
    from napari_vol2vol.study.planner import calibration

    rows = calibration(runs, seed)
    if as_json:
        print_json(rows)
        return
    table = Table("test", "readers", "cases", "rejected at 5 %")
    for row in rows:
        table.add_row(row["test"], str(row["readers"]), str(row["cases"]), f"{100 * row['rate']:.2f} %")
    out.print(table)


def _words(own: dict[str, Any]) -> str:
    right, area = own.get("correct"), own["auc"]
    parts = []
    if right:
        p = "" if right["p"] is None else f", p = {right['p']:.2g}"
        parts.append(f"{right['k']} of {right['n']} right [{right['low']:.3f}, {right['high']:.3f}]{p}")
    if area:
        parts.append(f"AUC {area['value']:.3f}")
    return "; ".join(parts)


def _cases(real: Path | None, generated: list[str]) -> list[dict[str, Path]]:
    """Return the cases of ``--real`` and ``--generated`` folders."""
    from napari_vol2vol.study.preset import REAL, pairs_of_folders

    if real is None or not generated:
        raise SettingsError(
            "volumes: found none; accepted are --real FOLDER --generated NAME=FOLDER, or --demo"
        )
    cases: dict[str, dict[str, Path]] = {}
    for text in generated:
        name, equals, folder = text.partition("=")
        if not equals:
            raise SettingsError(f"generated: found {text!r}, accepted is NAME=FOLDER")
        for file, one, other in pairs_of_folders(real, Path(folder)):
            cases.setdefault(file, {REAL: one.resolve()})[name] = other.resolve()
    return [case for case in cases.values() if len(case) == len(generated) + 1]


def _demo_cases(folder: Path, count: int) -> list[dict[str, Path]]:
    """Write procedural native torsos; the generated arm is a smoothed stand-in, no translation."""
    from napari_vol2vol.commands.study_demo import write_demo

    _say(f"making {count + 2} procedural torsos")
    made = write_demo(folder / "volumes", count + 2)
    return [{arm: path.relative_to(folder) for arm, path in case.items()} for case in made]


def _print_findings(where: str, findings: list[Finding]) -> None:
    table = Table("leak", "finding", title=f"Leaks {where}")
    for finding in findings:
        style = "red" if finding.red else "green"
        table.add_row(finding.leak, f"[{style}]{escape(finding.words)}[/{style}]")
    out.print(table)


def _say(text: str) -> None:
    errors.print(escape(text), highlight=False)
