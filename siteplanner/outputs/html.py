"""Small pieces of HTML: every value is escaped unless it is already markup."""

from collections.abc import Iterable, Sequence
from importlib.resources import files

from markupsafe import Markup, escape

from siteplanner.labels import section_labels
from siteplanner.outputs.exports import clean_text
from siteplanner.scenario import Language

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}


def text(value: object) -> Markup:
    """Escape a text of the data and keep its direction to itself."""
    return Markup("<bdi>{}</bdi>").format(clean_text(str(value)))


def strong(value: object) -> Markup:
    """Return a figure that the eye should find."""
    return Markup("<b>{}</b>").format(value)


def say(key: str, language: Language, **values: object) -> Markup:
    """Fill a sentence of the memo; the sentence is ours, the values are escaped."""
    return escape(section_labels("report", language)[key]).format(**values)


def heading(key: str, language: Language) -> Markup:
    """Return a section's heading with its anchor."""
    return Markup('<h2 id="{}">{}</h2>').format(key, say(key, language))


def paragraph(content: object, kind: str = "") -> Markup:
    """Return a paragraph, of a class when one is named."""
    return (
        Markup('<p class="{}">{}</p>').format(kind, content) if kind else Markup("<p>{}</p>").format(content)
    )


def table(
    head: Sequence[tuple[object, str]], rows: Iterable[Sequence[object]], foot: Sequence[object] = ()
) -> Markup:
    """Return a table; each heading comes with the class of its column, ``n`` for numbers."""
    kinds = [kind for _, kind in head]
    top = Markup("").join(
        Markup('<th scope="col" class="{}">{}</th>').format(kind, words) for words, kind in head
    )
    body = Markup("").join(_row(row, kinds) for row in rows)
    end = Markup("<tfoot>{}</tfoot>").format(_row(foot, kinds)) if foot else Markup("")
    return Markup(
        '<div class="wide"><table><thead><tr>{}</tr></thead><tbody>{}</tbody>{}</table></div>'
    ).format(top, body, end)


def _row(cells: Sequence[object], kinds: Sequence[str]) -> Markup:
    drawn = (
        Markup('<td class="{}">{}</td>').format(kind, cell) for cell, kind in zip(cells, kinds, strict=True)
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(drawn))


def figures(items: Iterable[tuple[object, object]], kind: str) -> Markup:
    """Return key figures: words above, number below."""
    cells = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(words, value) for words, value in items)
    return Markup('<dl class="{}">{}</dl>').format(kind, Markup("").join(cells))


def page(body: Markup, title: str, kind: object, language: Language) -> str:
    """Return a page of its own: nothing is loaded and nothing runs, so it needs no network and no script."""
    style = files("siteplanner.outputs").joinpath("assets", "memo.css").read_text(encoding="utf-8")
    return Markup(
        '<!doctype html>\n<html lang="{tag}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>{title} · {kind}</title>\n<style>\n{style}</style>\n"
        "</head>\n<body>\n{body}\n</body>\n</html>\n"
    ).format(
        tag=_LANGUAGE_TAGS[language],
        policy=_POLICY,
        title=title,
        kind=kind,
        style=Markup(style),  # noqa: S704 - our own style sheet
        body=body,
    )
