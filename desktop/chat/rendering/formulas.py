"""Formulas in TeX, told from money and made legible in Unicode.

Nothing is guessed: a formula with a command that is not known here stays as it was written.
"""

import re

from desktop.chat.rendering.symbols import (
    ACCENTS,
    BRACKETS,
    DOUBLE,
    FUNCTIONS,
    LINES,
    RELATIONS,
    ROOTS,
    SPACES,
    STYLES,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    SYMBOLS,
    VERBATIM,
)

LONGEST = 4000
"""Characters of the longest formula looked at."""
DEEPEST = 40
"""Groups inside groups at most."""

_PAIRS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_TEX = re.compile(r"[\\^_{}]")


def formula_at(text: str, start: int) -> tuple[str, int] | None:
    """Return the TeX of a formula that begins at an offset, and the offset after it.

    Formulas are written ``\\(…\\)``, ``\\[…\\]``, ``$$…$$`` or ``$…$``. A dollar followed by a
    space, one that closes before a digit, and two around plain words are money.
    """
    closing = _PAIRS.get(text[start : start + 2])
    if closing:
        end = text.find(closing, start + 2, start + LONGEST)
        tex = text[start + 2 : end]
        return (tex, end + 2) if end > 0 and tex.strip() else None
    end = _closing_dollar(text, start)
    if end < 0:
        return None
    tex = text[start + 1 : end]
    return None if _reads_as_money(tex) else (tex, end + 1)


def _closing_dollar(text: str, start: int) -> int:
    line_end = text.find("\n", start)
    line_end = min(len(text) if line_end < 0 else line_end, start + LONGEST)
    if text[start] != "$" or start + 1 >= line_end or text[start + 1].isspace():
        return -1
    end = start + 1
    while (end := text.find("$", end, line_end)) >= 0:
        if text[end - 1] != "\\":
            break
        end += 1
    if end <= start + 1 or text[end - 1].isspace() or text[end + 1 : end + 2].isdigit():
        return -1
    return end


def _reads_as_money(tex: str) -> bool:
    """Three letters in a row are a word; after a number, two are, and a range goes on."""
    if _TEX.search(tex):
        return "`" in tex
    if not tex[0].isdigit():
        return bool(re.search(r"[A-Za-z]{3}", tex))
    return bool(re.search(r"[A-Za-z]{2}|`|[-–/,]$", tex))


def to_unicode(tex: str) -> str | None:
    """Return a formula in Unicode, of several lines if it has them; None if not all is known."""
    try:
        reader = _Reader(tex)
        lines = reader.lines()
    except _Unknown:
        return None
    return "\n".join(_tidy(line) for line in lines if line.strip()) or None


def _tidy(line: str) -> str:
    return re.sub(r"(?<=\S) {2,3}(?=\S)", " ", line).strip()


class _Unknown(Exception):
    """The formula holds what is not known here."""


_TOKEN = re.compile(
    r"\\begin\{[a-z]+\*?\}|\\end\{[a-z]+\*?\}|\\[A-Za-z]+|\\.|[ \n\t]+|.", re.DOTALL
)
_DELIMITERS = {".": "", "<": "⟨", ">": "⟩"}


class _Reader:
    """Reads a formula from left to right; each method returns what it has read in Unicode."""

    def __init__(self, tex: str) -> None:
        self._tokens = _TOKEN.findall(re.sub(r"(?<!\\)%.*", "", tex))
        self._at = 0
        self._depth = 0

    def lines(self) -> list[str]:
        """Read to the end."""
        lines = [[""]]
        while self._at < len(self._tokens):
            self._cell(lines)
        return ["  ".join(cells) for cells in lines]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _Unknown
        self._at += 1
        return token

    def _cell(self, lines: list[list[str]]) -> None:
        """Read one piece into the last cell of the last line, or begin a new one."""
        token = self._peek()
        if token == "&":
            self._next()
            lines[-1].append("")
        elif token in ("\\\\", "\\newline"):
            self._next()
            self._option()
            lines.append([""])
        else:
            lines[-1][-1] += self._piece()

    # --- pieces --------------------------------------------------------------------------

    def _piece(self) -> str:
        token = self._next()
        if token == "{":
            return self._until("}")
        if token in ("^", "_"):
            return self._script(token)
        if token.startswith("\\begin{"):
            return self._environment(token[7:-1])
        if token.startswith("\\"):
            return self._command(token[1:])
        if token in "}&":
            raise _Unknown
        if token.isspace():
            return " "
        return {"'": "′", "-": "−", "*": "∗", "~": " "}.get(token, token)

    def _until(self, closing: str) -> str:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Unknown
        read = ""
        while self._peek() != closing:
            read += self._piece()
        self._next()
        self._depth -= 1
        return read

    def _argument(self) -> str:
        """Read a group, or the one piece that stands for it."""
        while self._peek().isspace():
            self._next()
        return self._piece().strip()

    def _words(self) -> str:
        """Read a group as it is written."""
        while self._peek().isspace():
            self._next()
        if self._next() != "{":
            raise _Unknown
        words, depth = "", 1
        while True:
            token = self._next()
            depth += (token == "{") - (token == "}")
            if not depth:
                return words
            if token.startswith("\\") and token[1:] not in SYMBOLS | SPACES:
                raise _Unknown
            words += (SYMBOLS | SPACES)[token[1:]] if token.startswith("\\") else token

    def _option(self) -> str:
        if self._peek() != "[":
            return ""
        self._next()
        return self._until("]")

    def _script(self, mark: str) -> str:
        content = self._argument()
        letters = SUPERSCRIPTS if mark == "^" else SUBSCRIPTS
        if content in ("∘", "°") and mark == "^":
            return "°"
        if content and all(letter in letters for letter in content):
            return "".join(letters[letter] for letter in content.replace(" ", ""))
        return mark + (content if len(content) == 1 else f"({content})")

    # --- commands ------------------------------------------------------------------------

    def _command(self, name: str) -> str:
        if name in RELATIONS:
            return f" {RELATIONS[name]} "
        if name in SYMBOLS:
            self._skip_end_of_name()
            return SYMBOLS[name]
        if name in SPACES:
            return SPACES[name]
        if name in FUNCTIONS:
            return self._function(name)
        if name in VERBATIM:
            return self._words()
        if name in STYLES:
            return self._argument()
        if name in ACCENTS:
            return "".join(letter + ACCENTS[name] for letter in self._argument())
        return self._construction(name)

    def _skip_end_of_name(self) -> None:
        """A space after a name ends the name; before a letter it is no more than that."""
        following = self._tokens[self._at + 1 : self._at + 2]
        if self._peek() == " " and following and following[0].isalpha():
            self._at += 1

    def _construction(self, name: str) -> str:
        match name:
            case "frac" | "dfrac" | "tfrac" | "cfrac":
                return f"{_added(self._argument())}/{_bracketed(self._argument())}"
            case "binom" | "dbinom" | "tbinom":
                return f"C({self._argument()}, {self._argument()})"
            case "sqrt":
                return self._root()
            case "mathbb":
                letters = self._argument()
                return "".join(DOUBLE.get(letter, letter) for letter in letters)
            case "left" | "right":
                return self._delimiter()
            case "pmod":
                return f" (mod {self._argument()})"
            case "bmod":
                return " mod "
            case "not":
                return self._argument() + "\u0338"
            case "tag" | "label":
                return f"  ({self._words()})" if name == "tag" else self._words() and ""
            case "overset" | "stackrel":
                over = self._argument()
                return f" {self._argument()}^{_bracketed(over)} "
            case "underbrace" | "overbrace":
                return self._argument()
            case "xrightarrow":
                self._option()
                return f" →^{_bracketed(self._argument())} "
        raise _Unknown

    def _function(self, name: str) -> str:
        # "sin x", but "sin(x)" and "sin²x"
        before = self._tokens[self._at - 2] if self._at > 1 else ""
        after = "" if self._peek()[:1] in ("(", "^", "_", "{", "", " ", "[", ")") else " "
        return (" " if before.lstrip("\\").isalnum() else "") + name + after

    def _root(self) -> str:
        degree = self._option().strip()
        content = _bracketed(self._argument())
        if degree in ROOTS:
            return ROOTS[degree] + content
        if all(letter in SUPERSCRIPTS for letter in degree):
            return "".join(SUPERSCRIPTS[letter] for letter in degree) + "√" + content
        return f"{content}^(1/{_bracketed(degree)})"

    def _delimiter(self) -> str:
        while self._peek().isspace():
            self._next()
        if self._peek() in _DELIMITERS:
            return _DELIMITERS[self._next()]
        return self._piece()

    def _environment(self, name: str) -> str:
        if name == "array" or name.startswith("alignat"):
            self._words()  # how columns are set
        if name not in BRACKETS and name not in LINES:
            raise _Unknown
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Unknown
        lines = [[""]]
        while self._peek() != f"\\end{{{name}}}":
            self._cell(lines)
        self._next()
        self._depth -= 1
        rows = [[cell.strip() for cell in cells] for cells in lines if any(map(str.strip, cells))]
        if name in BRACKETS:
            opening, closing = BRACKETS[name]
            return opening + " ; ".join("\u2002".join(cells) for cells in rows) + closing
        if name.endswith("cases"):
            return "{ " + " ; ".join(", ".join(c.rstrip(",") for c in cells) for cells in rows)
        return "\n".join(" ".join(cells) for cells in rows)


_ONE = re.compile(
    r"[\d.,]+|[A-Za-z]{3,}|[∂d]?(√?\w|∞)[\u0300-\u036f\u20d7′]*[⁰-ₜ¹²³ᵢ-ᵪᴬ-ᵡⱼⱽ]*|√?\(\)|.",
    re.DOTALL,
)
_INSIDE = re.compile(r"\([^()]*\)|\[[^][]*\]")


def _bracketed(content: str) -> str:
    """Put brackets around what would fall apart behind a stroke, a root or a script."""
    content = _tidy(content)
    return content if _ONE.fullmatch(_without_brackets(content)) else f"({content})"


def _added(content: str) -> str:
    """Put brackets around a sum or whatever has spaces: a product reads well before a stroke."""
    content = _tidy(content)
    return f"({content})" if re.search(r"[\s+−±∓=/]", _without_brackets(content)) else content


def _without_brackets(content: str) -> str:
    """Leave one pair of round brackets for what stands in brackets at the outermost level."""
    while (shorter := _INSIDE.sub("\0", content)) != content:
        content = shorter
    return content.replace("\0", "()")
