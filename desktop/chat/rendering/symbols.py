"""What TeX's commands look like in Unicode."""

_GREEK = {
    name: letter
    for names, letters in (
        (
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi "
            "rho sigma tau upsilon phi chi psi omega",
            "αβγδϵζηθικλμνξοπρστυϕχψω",
        ),
        (
            "varepsilon vartheta varpi varrho varsigma varphi Gamma Delta Theta Lambda Xi Pi Sigma "
            "Upsilon Phi Psi Omega",
            "εϑϖϱςφΓΔΘΛΞΠΣΥΦΨΩ",
        ),
    )
    for name, letter in zip(names.split(), letters, strict=True)
}

RELATIONS = {
    "le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥", "ne": "≠",
    "neq": "≠", "ll": "≪", "gg": "≫", "approx": "≈", "equiv": "≡", "sim": "∼", "simeq": "≃",
    "cong": "≅", "propto": "∝", "prec": "≺", "succ": "≻", "in": "∈", "notin": "∉", "ni": "∋",
    "subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "subsetneq": "⊊", "mid": "∣",
    "parallel": "∥", "perp": "⊥", "vdash": "⊢", "models": "⊨", "to": "→", "rightarrow": "→",
    "gets": "←", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "implies": "⟹",
    "Leftarrow": "⇐", "impliedby": "⟸", "Leftrightarrow": "⇔", "iff": "⟺", "mapsto": "↦",
    "longrightarrow": "⟶", "longleftarrow": "⟵", "Longrightarrow": "⟹", "hookrightarrow": "↪",
    "rightleftharpoons": "⇌", "uparrow": "↑", "downarrow": "↓", "Uparrow": "⇑", "Downarrow": "⇓",
    "nearrow": "↗", "searrow": "↘", "doteq": "≐", "triangleq": "≜", "coloneqq": "≔", "asymp": "≍",
    "lesssim": "≲", "gtrsim": "≳", "nmid": "∤", "land": "∧", "lor": "∨", "wedge": "∧", "vee": "∨",
    "pm": "±", "mp": "∓", "times": "×", "div": "÷", "cdot": "·", "cup": "∪", "cap": "∩",
    "setminus": "∖", "oplus": "⊕", "ominus": "⊖", "otimes": "⊗", "odot": "⊙", "ast": "∗",
    "star": "⋆", "circ": "∘", "bullet": "•",
}  # fmt: skip
"""Relations, arrows and operators: read best with a space on either side."""

SYMBOLS = _GREEK | {
    "infty": "∞", "partial": "∂", "nabla": "∇", "forall": "∀", "exists": "∃", "nexists": "∄",
    "neg": "¬", "lnot": "¬", "emptyset": "∅", "varnothing": "∅", "hbar": "ℏ", "ell": "ℓ",
    "Re": "ℜ", "Im": "ℑ", "aleph": "ℵ", "wp": "℘", "angle": "∠", "triangle": "△", "square": "□",
    "Box": "□", "blacksquare": "■", "qed": "∎", "degree": "°", "prime": "′", "dagger": "†",
    "ddagger": "‡", "therefore": "∴", "because": "∵", "top": "⊤", "bot": "⊥", "checkmark": "✓",
    "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱", "dotsc": "…",
    "dotsb": "⋯", "colon": ":", "imath": "ı", "jmath": "ȷ", "sum": "∑", "prod": "∏", "coprod": "∐",
    "int": "∫", "iint": "∬", "iiint": "∭", "oint": "∮", "bigcup": "⋃", "bigcap": "⋂",
    "bigoplus": "⨁", "bigotimes": "⨂", "bigvee": "⋁", "bigwedge": "⋀", "langle": "⟨",
    "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "lvert": "|",
    "rvert": "|", "vert": "|", "lVert": "‖", "rVert": "‖", "Vert": "‖", "|": "‖", "lbrace": "{",
    "rbrace": "}", "{": "{", "}": "}", "backslash": "\\", "%": "%", "$": "$", "#": "#", "&": "&",
    "_": "_", "S": "§", "copyright": "©", "pounds": "£", "euro": "€", "lbrack": "[", "rbrack": "]",
}  # fmt: skip

SPACES = {
    ",": " ", ":": " ", ";": " ", ">": " ", " ": " ", "~": " ", "quad": "  ", "qquad": "    ",
    "!": "", "enspace": " ", "thinspace": " ", "limits": "", "nolimits": "", "displaystyle": "",
    "textstyle": "", "scriptstyle": "", "big": "", "Big": "", "bigg": "", "Bigg": "", "bigl": "",
    "bigr": "", "Bigl": "", "Bigr": "", "biggl": "", "biggr": "", "Biggl": "", "Biggr": "",
    "middle": "", "nonumber": "", "notag": "", "hline": "", "boldmath": "",
}  # fmt: skip
"""What only sets space or size."""

FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "coth", "log", "ln", "lg", "exp", "lim", "limsup", "liminf", "max", "min", "sup", "inf", "det",
    "dim", "ker", "deg", "gcd", "hom", "arg", "Pr", "mod",
})  # fmt: skip

ACCENTS = {
    "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "overline": "\u0305", "vec": "\u20d7",
    "overrightarrow": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "tilde": "\u0303",
    "widetilde": "\u0303", "underline": "\u0332", "check": "\u030c", "acute": "\u0301",
    "grave": "\u0300", "breve": "\u0306",
}  # fmt: skip
"""Combining characters: each follows the letter it stands over."""

STYLES = frozenset({
    "text", "textbf", "textit", "textrm", "texttt", "textsf", "mathrm", "mathbf", "mathit",
    "mathsf", "mathtt", "mathcal", "mathscr", "mathfrak", "boldsymbol", "bm", "operatorname",
    "mbox", "hbox", "emph", "boxed", "mathop", "mathbin", "mathrel", "pmb", "displaylines", "smash",
})  # fmt: skip
"""Commands of a group whose letters say it all."""

VERBATIM = frozenset({
    "text", "textbf", "textit", "textrm", "texttt", "textsf", "mbox", "hbox", "emph",
    "operatorname",
})  # fmt: skip
"""Of these, the ones whose group is words."""

DOUBLE = dict(zip("CHNPQRZ1kE", "ℂℍℕℙℚℝℤ𝟙𝕜𝔼", strict=True))

SUPERSCRIPTS = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ∗*′ ",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ**′ ",
        strict=True,
    )
)

SUBSCRIPTS = dict(
    zip(
        "0123456789+-−=()aehijklmnoprstuvxβγρφχ ",
        "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ ",
        strict=True,
    )
)

ROOTS = {"": "√", "2": "√", "3": "∛", "4": "∜"}

BRACKETS = {
    "matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"), "Vmatrix": ("‖", "‖"), "smallmatrix": ("", ""), "array": ("[", "]"),
}  # fmt: skip
"""What stands around a matrix."""

LINES = frozenset({
    "aligned", "align", "align*", "alignat", "gathered", "gather", "gather*", "equation",
    "equation*", "split", "multline", "eqnarray", "eqnarray*", "cases", "rcases",
})  # fmt: skip
"""Environments of several lines."""
