from hypothesis import given
from hypothesis import strategies as st

from gossamer.report.drawing import Drawing, letters, shorten, stack


@given(st.text(max_size=40), st.integers(3, 30))
def test_short_text_stays_and_long_text_keeps_both_ends(text, most):
    short = shorten(text, most)
    assert len(short) <= most
    if len(text) <= most:
        assert short == text
    else:
        left, _, right = short.partition("…") if "…" not in text else (text[:1], "", text[-1:])
        assert text.startswith(left)
        assert text.endswith(right)


def test_letters_are_escaped():
    assert "&lt;b&gt; &amp;" in letters(0, 0, "<b> &")


def test_a_stack_is_as_wide_as_the_widest_and_has_gaps():
    whole = stack([Drawing("<a/>", 10, 5), Drawing("<b/>", 30, 7)], gap=4)
    assert (whole.width, whole.height) == (30, 16)
    assert whole.body.index("<a/>") < whole.body.index('translate(0 9)"><b/>')
