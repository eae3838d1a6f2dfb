"""Formulas made legible, and money left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.chat.rendering.formulas import formula_at, to_unicode

PIECES = st.sampled_from(
    [
        *(
            r"\frac",
            r"\sqrt",
            r"\sum",
            r"\left(",
            r"\right)",
            r"\text",
            r"\begin{pmatrix}",
            r"\alpha",
        ),
        *(
            r"\end{pmatrix}",
            r"\\",
            r"\,",
            "{",
            "}",
            "[",
            "]",
            "^",
            "_",
            "&",
            "$",
            "x",
            "2",
            " ",
            "\n",
        ),
    ]
)


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        (r"E = mc^2", "E = mc²"),
        (r"a_{n+1} + H_2O", "aₙ₊₁ + H₂O"),
        (r"\alpha \leq \beta \neq \Omega", "α ≤ β ≠ Ω"),
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{a + b}{2a}", "(a + b)/(2a)"),
        (r"\frac{n(n+1)}{2}", "n(n+1)/2"),
        (r"\dfrac{\partial f}{\partial x}", "∂f/∂x"),
        (r"\sqrt{b^2 - 4ac} + \sqrt[3]{x}", "√(b² − 4ac) + ∛x"),
        (r"\sum_{i=1}^{n} i", "∑ᵢ₌₁ⁿ i"),
        (r"\int_0^1 x\,dx", "∫₀¹ x dx"),
        (r"e^{i\pi}+1=0", "e^(iπ)+1=0"),
        (r"\forall x \in \mathbb{R}", "∀x ∈ ℝ"),
        (r"\text{if } x > 0", "if x > 0"),
        (r"\sin\theta\cos\theta", "sin θ cos θ"),
        (r"\left( \frac{1}{2} \right)^2", "( 1/2 )²"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "(1\u20022 ; 3\u20024)"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a = b\nc = d"),
        (r"\hat{y} = 90^\circ", "y\u0302 = 90°"),
        (r"3{,}600\,\text{J}", "3,600 J"),
    ],
)
def test_formulas_are_legible_on_one_line(tex: str, words: str) -> None:
    assert to_unicode(tex) == words


@pytest.mark.parametrize(
    "tex", [r"\foo{x}", r"\frac{1}", "x}", "{x", r"\begin{tikzcd}a\end{tikzcd}"]
)
def test_what_is_not_understood_is_told(tex: str) -> None:
    assert to_unicode(tex) is None


@pytest.mark.parametrize(
    "text",
    [
        *("$5 and $10", "$5-$10", "$5, or 3$", "$HOME/$USER", "$20/month or $200/year", "$ x$"),
        *("$x\ny$", "$", "$$", "$x$5", r"\(x", r"\[", "$US and A$", "*x* 5$"),
    ],
)
def test_money_and_what_is_not_closed_is_no_formula(text: str) -> None:
    assert formula_at(text, 0) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$x$ and", ("x", 3)),
        (r"\(a+b\)", ("a+b", 7)),
        ("$$y$$", ("y", 5)),
        (r"\[z\]", ("z", 5)),
        ("$n = 5$", ("n = 5", 7)),
        (r"$5 \times 3$", (r"5 \times 3", 12)),
        (r"$a\$b$", (r"a\$b", 6)),
    ],
)
def test_formulas_are_found_between_their_marks(text: str, found: tuple[str, int]) -> None:
    assert formula_at(text, 0) == found


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_formula_is_read_or_refused(tex: str) -> None:
    words = to_unicode(tex)
    assert words is None or "\\frac" not in words


def test_deep_and_long_formulas_end() -> None:
    assert to_unicode("{" * 5_000) is None
    assert to_unicode(r"\frac{1}{" * 1_000 + "}" * 1_000) is None
    assert to_unicode("x_" * 2_000) is None
