"""Pages of HTML, such as dumps: one file each, with no script and nothing from elsewhere."""

from collections.abc import Iterator
from html import escape

from wdfdma.dumping.scene import Section

_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em;
       color: #1b1f24; background: #fff; }
h1 { font-size: 1.5em; }
section { border-left: 3px solid #d0d7de; margin: 1em 0; padding-left: 1em; }
h2, h3, h4 { font-size: 1.05em; margin: 0 0 .3em; }
h2 { font-size: 1.2em; }
table { border-collapse: collapse; }
th { font-weight: normal; text-align: left; color: #57606a; padding: 0 1.5em 0 0;
     vertical-align: top; white-space: nowrap; }
td { padding: 0; }
pre { font: 13px/1.45 ui-monospace, monospace; margin: .3em 0; white-space: pre-wrap; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; }
  section { border-color: #30363d; }
  th { color: #8d96a0; }
}
"""


def render_html(sections: list[Section], title: str) -> str:
    """The sections as one page. Whatever stands in them is text there, never markup.

    >>> "<b>" in render_html([Section("<b>")], "a page")
    False
    """
    body = [line for section in sections for line in _render_section(section, 2)]
    return render_page(title, body)


def render_page(title: str, body: list[str], style: str = "") -> str:
    """A page of lines that are HTML, in the style of all pages and [style] after it.

    >>> render_page("a & b", ["<p>text</p>"]).count("a &amp; b")
    2
    """
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}{style}</style></head>",
        f"<body><h1>{escape(title)}</h1>",
    ]
    return "\n".join([*lines, *body, "</body></html>", ""])


def _render_section(section: Section, level: int) -> Iterator[str]:
    yield f"<section><h{level}>{escape(section.title)}</h{level}>"
    if section.fields:
        yield "<table>"
        for name, value in section.fields:
            yield f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        yield "</table>"
    if section.lines:
        text = "\n".join(section.lines)
        yield f"<pre>{escape(text)}</pre>"
    for part in section.parts:
        yield from _render_section(part, min(level + 1, 6))
    yield "</section>"
