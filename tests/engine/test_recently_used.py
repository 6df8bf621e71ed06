"""The store behind tiles, answers and rasters that are kept: the same rules, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.models.recently_used import RecentlyUsed


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 60))))
def test_the_limit_holds_and_the_newest_is_there(puts):
    forgotten = []
    kept = RecentlyUsed(100, lambda value: value, forgotten.append)
    for key, value in puts:
        kept.put(key, value)
        assert kept.weight <= 100
        assert kept.get(key) == value
    there = [value for key in range(9) if (value := kept.get(key)) is not None]
    assert sum(there) == kept.weight
    assert len(there) == len(kept)


def test_the_least_recently_used_goes_first_and_is_told():
    forgotten = []
    kept = RecentlyUsed(3, on_forget=forgotten.append)
    for key in "abc":
        kept.put(key, key.upper())
    kept.get("a")
    kept.put("d", "D")
    assert forgotten == ["B"]
    assert [key in kept for key in "abcd"] == [True, False, True, True]


def test_one_over_the_limit_is_kept_alone():
    kept = RecentlyUsed(10, lambda value: value)
    kept.put(1, 5)
    kept.put(2, 500)
    assert (len(kept), kept.get(2), kept.weight) == (1, 500, 500)


def test_what_is_put_again_weighs_what_it_weighs_now():
    kept = RecentlyUsed(100, len)
    growing = [0]
    kept.put("a", growing)
    growing += [0] * 49
    kept.put("a", growing)
    assert kept.weight == 50


def test_taken_out_it_is_not_told():
    forgotten = []
    kept = RecentlyUsed(10, on_forget=forgotten.append)
    for number in range(5):
        kept.put(number, number * 10)
    assert kept.pop(3) == 30
    assert kept.pop(3) is None
    assert sorted(kept.pop_all(lambda number: number < 2)) == [0, 10]
    assert kept.pop_all() == [20, 40]
    assert (len(kept), kept.weight, forgotten) == (0, 0, [])
