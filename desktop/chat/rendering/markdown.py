"""Markdown as HTML that Qt draws, made here alone: nothing a model writes becomes markup.

HTML is text, a picture is the words that stand for it and its address, and only addresses of the
web and of mail are links.
"""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from desktop.chat.rendering.formulas import formula_at, to_unicode
from desktop.theme.palette import Theme

SCHEMES = ("http", "https", "mailto")
"""Of addresses that may be opened, once a person has agreed."""

CELL_PADDING = 6

DEEPEST_QUOTE = 3
"""Quotations within quotations are drawn so deep; Qt takes twice as long for each further level."""

_ADDRESS = re.compile(r"https?://[^\s<>\"'`|]*[^\s<>\"'`|.,;:!?)\]}*]")
_TASK = re.compile(r"^(\s*(?:[-*+]|\d+[.)]) +)\[( |x|X)\](?= )", re.MULTILINE)


def to_html(source: str) -> str:
    """Return Markdown as HTML; its looks are those of :func:`style_sheet`."""
    boxes = _TASK.sub(lambda found: found[1] + ("☐" if found[2] == " " else "☑"), source)
    html: str = _parser().render(boxes)
    return html.rstrip()


def formula_html(source: str) -> str:
    """Return a formula that has lines of its own as HTML; as it was written if it is not known."""
    tex, end = formula_at(source, 0) or ("", 0)
    words = to_unicode(tex)
    if not words:
        return f'<p class="tex">{_lines(source)}</p>'
    return f'<p class="formula">{_lines(words + source[end:])}</p>'


def style_sheet(theme: Theme, size_pt: float, mono: str) -> str:
    """Return how the HTML looks.

    :param size_pt: of the text
    :param mono: the family of code
    """
    mono = f'font-family: "{mono}"; font-size: {size_pt * 0.95:.1f}pt;'
    headings = " ".join(
        f".h{level} {{ font-size: {size_pt * factor:.1f}pt; font-weight: 600; "
        f"margin: {above}px 0 7px 0; }}"
        for level, factor, above in ((1, 1.4, 16), (2, 1.22, 16), (3, 1.1, 12), (4, 1, 10))
    )
    return f"""
    p {{ margin: 0 0 9px 0; line-height: 118%; }}
    {headings}
    ul, ol {{ margin: 0 0 9px 0; }}
    li {{ margin: 0 0 4px 0; line-height: 118%; }}
    a {{ color: {theme.accent}; text-decoration: underline; }}
    code {{ {mono} background-color: {theme.raised}; }}
    pre {{ {mono} margin: 0 0 9px 0; color: {theme.text}; }}
    .tex {{ {mono} color: {theme.muted}; }}
    .formula {{ font-size: {size_pt * 1.12:.1f}pt; margin: 3px 0 3px 24px; }}
    .picture {{ color: {theme.muted}; }}
    hr {{ background-color: {theme.line}; margin: 6px 0 12px 0; }}
    table.grid {{
        border-collapse: collapse; border-style: solid; border-color: {theme.line}; margin: 0;
    }}
    th {{ background-color: {theme.raised}; text-align: left; }}
    table.quote {{ margin: 2px 0 11px 0; }}
    td.quote {{ border-left: 3px solid {theme.line}; padding: 2px 0 0 12px; color: {theme.muted}; }}
    """


def is_safe(address: str) -> bool:
    """Tell whether a link to an address may be offered."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme.lower() in SCHEMES and bool(parts.netloc or parts.scheme == "mailto")


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br/>")


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "breaks": True}, renderer_cls=_Html)
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "formula", _read_formula)
    return parser


def _read_formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    found = formula_at(state.src[: state.posMax], state.pos)
    if not found:
        return False
    tex, end = found
    if not silent:
        token = state.push("formula", "", 0)
        token.content = to_unicode(tex) or state.src[state.pos : end]
    state.pos = end
    return True


class _Parser(MarkdownIt):
    """Takes for links what may be opened, and no more."""

    def validateLink(self, url: str) -> bool:
        """Tell whether an address may stand in a link or a picture."""
        return is_safe(url)


class _Html(RendererHTML):
    """Draws tokens; links inside ``[…](…)`` are not made links once more."""

    _inside_link = False
    _depth = 0

    def text(self, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType) -> str:
        """Addresses are links as well where they are only written."""
        content = tokens[at].content
        if self._inside_link:
            return escape(content)
        html, end = "", 0
        for found in _ADDRESS.finditer(content):
            address = escape(found[0])
            html += escape(content[end : found.start()])
            html += f'<a href="{address}">{address}</a>' if is_safe(found[0]) else address
            end = found.end()
        return html + escape(content[end:])

    def link_open(
        self, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """Begin a link, without the title the text may give it."""
        self._inside_link = True
        return f'<a href="{escape(str(tokens[at].attrs["href"]))}">'

    def link_close(
        self, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """End a link."""
        self._inside_link = False
        return "</a>"

    def image(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """A picture is never fetched: its words and its address stand for it."""
        words = self.renderInlineAsText(tokens[at].children or [], options, env)
        stand_in = f"{words} ({tokens[at].attrs['src']})"
        return f'<span class="picture">{escape(stand_in)}</span>'

    def fence(self, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType) -> str:
        """Code inside a quotation."""
        return f"<pre>{escape(tokens[at].content.rstrip())}</pre>"

    def code_block(
        self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Code that is only indented."""
        return self.fence(tokens, at, options, env)

    def formula(
        self, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """A formula, read already."""
        return _lines(tokens[at].content)

    def heading_open(
        self, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """Begin a heading: a paragraph, since Qt's headings keep a size of their own."""
        return f'<p class="h{min(int(tokens[at].tag[1:]), 4)}">'

    def heading_close(
        self, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """End a heading."""
        return "</p>"

    def table_open(
        self, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """Begin a table with borders."""
        return f'<table class="grid" border="1" cellspacing="0" cellpadding="{CELL_PADDING}">'

    def blockquote_open(
        self, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """A line to the left of a quotation can only be drawn as a cell's border."""
        self._depth += 1
        if self._depth > DEEPEST_QUOTE:
            return ""
        return '<table class="quote" width="100%" cellspacing="0"><tr><td class="quote">'

    def blockquote_close(
        self, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        """End a quotation."""
        self._depth -= 1
        return "" if self._depth >= DEEPEST_QUOTE else "</td></tr></table>"
