from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.channels.blame import guilty


@given(count=st.integers(0, 12), bad=st.sets(st.integers(0, 11)))
def test_finds_all_that_do_not_pass_by_themselves(count, bad):
    parts = list(range(count))
    found = guilty(parts, lambda some: not bad & set(some))
    assert found == sorted(bad & set(parts))


def test_what_only_fails_together_is_blamed_together():
    assert guilty([0, 1, 2, 3], lambda some: not {0, 3} <= set(some)) == [0, 1, 2, 3]
