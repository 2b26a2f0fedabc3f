"""Words in, one call, words out."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from siteplanner import __version__
from siteplanner.errors import InputError, SiteplannerError
from siteplanner.labels import label
from siteplanner.scenario import Language
from siteplanner.stopwatch import Watcher, nobody

INTERRUPTED = 130
OUR_BUG = 1
LEAST_RUNS = 2

_scenario = click.argument("scenario", type=click.Path(path_type=Path), metavar="SCENARIO")
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one parameter; may be repeated."
)
_lang = click.option(
    "--lang", type=click.Choice(["zh", "en"]), default=None, help="Language of what you read."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="siteplanner")
def siteplanner() -> None:
    """Which bank branches should move, where to, and how sure are we."""


@siteplanner.command()
@_scenario
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Output folder; else maps/NAME.")
@_set
@_lang
@click.option("--engine", type=click.Choice(["embedded", "spark"]), help="Where the counting runs.")
def run(
    scenario: Path, out: Path | None, overrides: tuple[str, ...], lang: Language | None, engine: str | None
) -> None:
    """Make the relocation plan of SCENARIO and write its map, memo, workbook and data."""
    from siteplanner.layers.reading import read_layers
    from siteplanner.layers.scenario_file import load_scenario
    from siteplanner.outputs.folder import write_outputs
    from siteplanner.outputs.summary import summary_lines
    from siteplanner.plan import make_plan

    extra = [*overrides]
    extra += [f"engine.kind={engine}"] if engine else []
    extra += [f"output.language={lang}"] if lang else []
    settings = load_scenario(scenario, extra)
    language = settings.output.language
    folder = out if out is not None else Path("maps") / settings.name
    with _watching(language) as watch:
        watch("layers")
        layers = read_layers(settings, scenario.parent)
        plan = make_plan(settings, layers, watch)
        watch("outputs")
        write_outputs(plan, folder, language, __version__)
    for line in summary_lines(plan, folder, language):
        click.echo(line)


@siteplanner.command()
@_scenario
@_set
@_lang
def check(scenario: Path, overrides: tuple[str, ...], lang: Language | None) -> None:
    """Read every input of SCENARIO, list every fault at once, write nothing."""
    from siteplanner.layers.reading import check_files
    from siteplanner.layers.scenario_file import load_scenario

    with _watching(lang or "zh") as watch:
        watch("layers")
        faults = check_files(scenario, overrides)
    if faults:
        raise InputError(faults)
    settings = load_scenario(scenario, overrides)
    click.echo(label("cli.check_ok", lang or settings.output.language, scenario=settings.name))


@siteplanner.command()
@_scenario
@click.option("--moves", default="", metavar="N,N,...", help="Numbers of moves; else up to the scenario's.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Output folder.")
@_set
@_lang
def frontier(
    scenario: Path, moves: str, out: Path | None, overrides: tuple[str, ...], lang: Language | None
) -> None:
    """Trace what the plan of SCENARIO is worth against its number of moves, each point with its proof."""
    from siteplanner.layers.reading import read_layers
    from siteplanner.layers.scenario_file import load_scenario
    from siteplanner.outputs.frontier_page import write_frontier
    from siteplanner.studies.frontier import spread_numbers, trace_frontier

    numbers = _numbers(moves)
    settings = load_scenario(scenario, overrides)
    language = lang or settings.output.language
    folder = out if out is not None else Path("maps") / f"{settings.name}-frontier"
    with _watching(language) as watch:
        watch("layers")
        layers = read_layers(settings, scenario.parent)
        numbers = numbers or spread_numbers(settings.relocation.max_moves)
        traced = trace_frontier(settings, layers, numbers, watch)
        watch("outputs")
        write_frontier(traced, folder, language, __version__)
    key = "frontier_traced" if traced.is_whole else "frontier_interrupted"
    knee = "-" if traced.knee is None else traced.knee
    click.echo(label(f"cli.{key}", language, points=len(traced.points), knee=knee, folder=folder))
    if not traced.is_whole:
        sys.exit(INTERRUPTED)


def _numbers(text: str) -> tuple[int, ...]:
    """Read numbers of moves parted by commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise click.BadParameter(f'"{text}" is no list of whole numbers such as 0,5,10', param_hint="--moves")
    return tuple(int(part) for part in parts)


@siteplanner.command()
@click.argument(
    "runs", type=click.Path(path_type=Path), metavar="RUN_DIR RUN_DIR...", nargs=-1, required=True
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Output folder; else maps/compare."
)
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", help="Language of what you read.")
def compare(runs: tuple[Path, ...], out: Path | None, lang: Language) -> None:
    """Set finished runs beside the first: indicators, moves, settings, and what makes the difference."""
    from siteplanner.outputs.comparison import write_comparison
    from siteplanner.studies.compare import compare_runs
    from siteplanner.studies.run_files import read_runs

    if len(runs) < LEAST_RUNS:
        raise click.UsageError("two or more runs are needed")
    folder = out if out is not None else Path("maps") / "compare"
    with _watching(lang) as watch:
        watch("compare")
        comparison = compare_runs(read_runs(runs))
        watch("outputs")
        write_comparison(comparison, folder, lang, __version__)
    counts = comparison.moves["", "state"].value_counts()
    told = {name: int(counts.get(name, 0)) for name in ("common", "elsewhere", "some")}
    click.echo(label("cli.compared", lang, runs=" / ".join(comparison.names), folder=folder, **told))


@siteplanner.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", help="Language.")
def init(folder: Path, lang: Language) -> None:
    """Write a folder to start from: a commented scenario, empty tables, the data dictionary."""
    from siteplanner.outputs.starter import write_starter

    scenario = write_starter(folder, lang)
    click.echo(label("cli.init_done", lang, folder=folder, scenario=scenario))


@siteplanner.command()
@click.option("--lang", type=click.Choice(["zh", "en"]), default="en", help="Language.")
def columns(lang: Language) -> None:
    """Print the data dictionary: every table, column, unit and meaning."""
    from siteplanner.outputs.dictionary import data_dictionary

    click.echo(data_dictionary(lang))


@contextmanager
def _watching(language: Language) -> Iterator[Watcher]:
    """Show the step at work on a terminal; stay quiet in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield nobody
        return
    columns_ = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns_, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def watch(step: str, share: float | None = None) -> None:
            done = "" if share is None else f" {share:.0%}"
            progress.update(task, description=label(f"steps.{step}", language) + done)

        yield watch


def main() -> None:
    """Run the command line; every way it can end has its exit code (see `errors`)."""
    try:
        siteplanner(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: nothing was written", err=True)
        sys.stdout.flush()
        # An interrupt that crossed a text given to `exec`, as in the import of a dataclass, would make Python
        # end by the signal in place of this code. All that had to be undone is undone by now.
        os._exit(INTERRUPTED)
    except SiteplannerError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - no traceback ever reaches a user
        if os.environ.get("SITEPLANNER_DEBUG"):
            traceback.print_exc()
        click.echo(f"error: defect in siteplanner, please report: {type(error).__name__}: {error}", err=True)
        sys.exit(OUR_BUG)


if __name__ == "__main__":
    main()
