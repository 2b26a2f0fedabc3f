"""What the run did without, in words."""

from siteplanner.outputs.wording import column_word, known
from siteplanner.plan import Plan
from siteplanner.scenario import Language


def note_texts(plan: Plan, language: Language) -> list[tuple[tuple[str, ...], str]]:
    """Return every note of the run beside its sentence, in the order of the notes."""
    return [(note, note_text(note, language)) for note in plan.layers.notes]


def note_text(note: tuple[str, ...], language: Language) -> str:
    """Fill the sentence of a note with its arguments; without a sentence, the arguments as they are.

    Arguments that name a table or a column are put in words.
    """
    key, *arguments = note
    table = arguments[0] if arguments else ""
    said = [_argument_word(argument, table, language) for argument in arguments]
    sentence = known("notes", f"{key}.{table}", language) or known("notes", key, language)
    # Only the sentence is a pattern; the arguments, which may come from a file, are never read as one.
    return sentence.format(*said) if sentence else " ".join([key, *said])


def _argument_word(argument: str, table: str, language: Language) -> str:
    """Return the words for a table, a layer or a column; any other text as it is."""
    named = known("sheets", argument, language) or known("values", f"layer.{argument}", language)
    named = named or known("tiers", argument, language)
    return named or column_word(argument, table, language)
