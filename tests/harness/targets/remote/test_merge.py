"""One log of many, by the harness's clock."""

from delphic.harness.targets.remote.merge import merged


def test_lines_are_in_the_order_of_one_clock_whatever_their_hosts_thought() -> None:
    logs = {
        "n1": "12:00:01.000 n1 INFO one\n12:00:03.000 n1 INFO three\n",
        "n2": "12:05:02.000 n2 INFO two\n12:05:04.500 n2 INFO four\n",
    }
    found = list(merged(logs, {"n1": 0.0, "n2": 300.0}, began_s=12 * 3600))
    assert found == [
        "12:00:01.000 n1 INFO one",
        "12:00:02.000 n2 INFO two",
        "12:00:03.000 n1 INFO three",
        "12:00:04.500 n2 INFO four",
    ]


def test_a_line_without_a_time_stays_behind_the_one_before_it() -> None:
    logs = {
        "n1": "no time yet\n12:00:01.000 n1 ERROR it fails\n  because\n",
        "n2": "12:00:01.500 n2 INFO later\n",
    }
    assert list(merged(logs, {}, began_s=12 * 3600)) == [
        "             n1 no time yet",
        "12:00:01.000 n1 ERROR it fails",
        "             n1   because",
        "12:00:01.500 n2 INFO later",
    ]


def test_midnight_comes_in_between_and_a_clock_may_be_behind() -> None:
    logs = {"n1": "23:59:59.900 n1 INFO old\n00:00:00.100 n1 INFO new\n"}
    assert list(merged(logs, {"n1": -1.0}, began_s=86_399.0)) == [
        "00:00:00.900 n1 INFO old",
        "00:00:01.100 n1 INFO new",
    ]
    logs = {"n1": "23:59:58.000 n1 INFO before\n", "n2": "00:00:02.000 n2 INFO after\n"}
    assert [line[-5:] for line in merged(logs, {}, began_s=1.0)] == ["efore", "after"]
