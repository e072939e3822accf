"""What typer says of a command line, said in Persian. A sentence that a later typer says otherwise fails here."""

from typing import Annotated

import pytest
import typer
from typer.exceptions import TyperException
from typer.main import get_command

from rozaneh.cli import misuse
from rozaneh.cli.help import run
from rozaneh.words import Words

EN, FA = Words("en"), Words("fa")


def app() -> typer.Typer:
    made = typer.Typer(no_args_is_help=True)

    @made.command()
    def count(
        place: str,
        store: str = typer.Option(..., "--store"),
        jobs: int = typer.Option(1, "--jobs", min=1, max=9),
        share: float = typer.Option(1.0, "--share"),
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None: ...

    @made.command()
    def judge() -> None: ...

    return made


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("count x", "The option '--store' is missing."),
        ("count --store y", "'place' is missing."),
        ("count x --store y --qqqq", "There is no option --qqqq."),
        ("count x --store y --js", "There is no option --js; did you mean --jobs, --json?"),
        ("nothing", "There is no command 'nothing'."),
        ("judgee", "There is no command 'judgee'; did you mean 'judge'?"),
        ("count x --store", "Something has to follow the option '--store'."),
        ("count x --store y --json=1", "Nothing may follow the option '--json'."),
        ("count x y z --store y", "Too much was given: y z."),
        ("count x --store y --jobs two", "What was given for '--jobs' is no whole number."),
        ("count x --store y --share much", "What was given for '--share' is no number."),
        ("count x --store y --jobs 0", "'--jobs' is at least 1."),
        ("count x --store y --jobs 10", "'--jobs' is at most 9."),
    ],
)
def test_what_typer_says_is_said_in_words_of_ours(line: str, said: str) -> None:
    with pytest.raises(TyperException) as caught:
        get_command(app()).main(args=line.split(), prog_name="tool", standalone_mode=False)
    told = misuse.told(caught.value, EN).partition(" Help: ")[0]
    assert told == said
    persian = misuse.told(caught.value, FA)
    assert "Missing" not in persian
    assert any("\u0600" < character < "\u0700" for character in persian)


def test_what_is_not_known_is_said_as_it_is() -> None:
    error = TyperException("something \x1b new")
    assert misuse.told(error, FA) == r"something \x1b new"


def test_a_hundred_thousand_characters_are_not_searched_to_and_fro() -> None:
    error = TyperException("Invalid value for " + ": x" * 100_000)
    assert len(misuse.told(error, FA)) < 1100


@pytest.mark.parametrize("tongue", ["en", "fa"])
@pytest.mark.parametrize(("line", "code"), [("ask", 1), ("stop", 130), ("little", 3), ("fine", 0), ("nothing", 2)])
def test_a_command_leaves_in_persian_as_it_does_in_english(
    tongue: str, line: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made = typer.Typer()

    @made.command()
    def ask() -> None:
        raise EOFError

    @made.command()
    def stop() -> None:
        raise KeyboardInterrupt

    @made.command()
    def little() -> None:
        raise typer.Exit(3)

    @made.command()
    def fine() -> None: ...

    with pytest.raises(SystemExit) as left:
        run(made, [line], "tool", Words(tongue))
    assert (left.value.code or 0) == code
    assert "Traceback" not in capsys.readouterr().err
