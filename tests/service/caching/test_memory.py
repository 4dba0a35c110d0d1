from relatent_service.caching.memory import Newest


def test_what_was_not_asked_for_longest_makes_room():
    kept = Newest[str, int](10)
    for name in "abc":
        kept.put(name, ord(name), 3)
    assert kept.get("a") == ord("a")
    kept.put("d", 1, 4)
    assert (kept.get("b"), kept.get("a"), kept.get("c"), kept.get("d")) == (None, ord("a"), ord("c"), 1)
    assert (len(kept), kept.weight) == (3, 10)


def test_one_that_takes_more_than_all_the_room_displaces_nothing():
    kept = Newest[str, int](10)
    kept.put("a", 1, 10)
    kept.put("b", 2, 11)
    assert (kept.get("a"), kept.get("b"), kept.weight) == (1, None, 10)


def test_one_that_comes_again_is_weighed_anew():
    kept = Newest[str, int](10)
    kept.put("a", 1, 8)
    kept.put("a", 2, 3)
    kept.put("b", 3, 7)
    assert (kept.get("a"), kept.get("b"), kept.weight) == (2, 3, 10)


def test_where_there_is_no_room_nothing_is_kept():
    kept = Newest[str, int](0)
    kept.put("a", 1)
    assert (kept.get("a"), len(kept)) == (None, 0)
