# SPDX-License-Identifier: Apache-2.0
"""The search for the highest rate without a loss beside Kamailio: what it finds, and when it has the proxy started anew."""

import unittest

from versus_load import LoadError
from versus_search import SPARE, STRETCH_S, WAKE_RATE, Search

LONG_S = 40


class Proxy:
    """Takes `limit`, and `lasting` of what is there for longer than a short run; runs of these numbers (from 1) lose whatever the rate is."""

    def __init__(self, limit, lasting=None, stops=()):
        self.limit, self.lasting, self.stops = limit, lasting or limit, stops
        self.runs, self.loaded_s, self.restarts, self.roomy, self.awake = 0, 0, 0, True, False

    def restart(self, lasting):
        self.restarts += 1
        self.loaded_s, self.roomy, self.awake = 0, lasting, False

    def run(self, rate, seconds, _):
        self.runs += 1
        self.loaded_s += seconds
        if seconds == STRETCH_S and not self.roomy:
            raise AssertionError("a long run of a proxy that has room for short ones")
        if not self.awake and rate != WAKE_RATE:
            raise AssertionError("a run of a proxy whose memory nothing has touched yet")
        self.awake = True
        lost = rate > (self.lasting if self.loaded_s > 3 * STRETCH_S else self.limit) or self.runs in self.stops
        return {"offered": rate, "rate": rate, "sent": rate * seconds, "lost": int(lost), "late": 0, "refused": 0, "broken": 0, "generator": {"busy": 0.5},
                "cpu": {"us": self.loaded_s}}


def search(proxy, long_seconds=LONG_S):
    return Search(proxy, seconds=1, precision=0.04, tries=3, long_seconds=long_seconds, wake_s=0)


def long_runs(made):
    return [trial for trial in made.trials if trial["seconds"] == STRETCH_S]


class Searching(unittest.TestCase):
    def test_finds_the_limit(self):
        for limit in (3000, 41000, 180000):
            for guess in (28000, 120000):
                with self.subTest(limit=limit, guess=guess):
                    made = search(Proxy(limit))
                    best = made.run(guess)
                    self.assertLessEqual(best["rate"], limit)
                    self.assertGreater(best["rate"], limit * 0.95)
                    self.assertGreater(made.above, limit)
                    self.assertEqual(len(long_runs(made)), LONG_S / STRETCH_S)

    def test_what_does_not_last_is_tried_lower(self):
        proxy = Proxy(50000, lasting=40000)
        made = search(proxy)
        best = made.run(45000)
        self.assertTrue(36000 < best["rate"] <= 40000)
        self.assertTrue(made.trials[-1]["held"] and best["rate"] < made.above <= 45000)
        self.assertGreaterEqual(best["cpu"]["us"], LONG_S, "that of a proxy which has been under this load all the while")

    def test_what_does_not_last_ends_early(self):
        made = search(Proxy(50000, lasting=40000))
        made.run(45000)
        highest = [trial for trial in long_runs(made) if trial["rate"] == max(each["rate"] for each in long_runs(made))]
        self.assertLess(len(highest), LONG_S / STRETCH_S)
        self.assertEqual([trial["held"] for trial in highest].count(False), SPARE + 1)

    def test_a_stop_costs_a_stretch(self):
        undisturbed = Proxy(40000)
        best = search(undisturbed).run(39000)
        proxy = Proxy(40000, stops=(undisturbed.runs - 1, undisturbed.runs + 1))
        made = search(proxy)
        self.assertEqual(made.run(39000)["rate"], best["rate"])
        self.assertEqual(proxy.runs, undisturbed.runs + 2)
        self.assertEqual(proxy.restarts, undisturbed.restarts)

    def test_a_new_proxy_behind_a_rate_that_did_not_hold(self):
        proxy = Proxy(40000, stops=(2, 3))
        made = search(proxy, long_seconds=0)
        self.assertGreater(made.run(30000)["rate"], 38000)
        self.assertGreaterEqual(proxy.restarts, 2)

    def test_only_long_runs_have_a_proxy_for_long_runs(self):
        proxy = Proxy(40000)
        made, roomy = search(proxy), []
        proxy.restart = lambda lasting, restart=proxy.restart: (roomy.append(lasting), restart(lasting))
        made.run(39000)
        self.assertEqual(roomy, [False] * (len(roomy) - 1) + [True])
        self.assertGreater(len(roomy), 3)

    def test_a_long_run_takes_the_proxy_that_is_there(self):
        proxy = Proxy(40000)
        self.assertTrue(search(proxy).lasts(20000))
        self.assertEqual(proxy.restarts, 0)

    def test_nothing_holds(self):
        self.assertRaisesRegex(LoadError, "at any rate", search(Proxy(10)).run, 1000)
        self.assertRaisesRegex(LoadError, "in every long run", search(Proxy(40000, lasting=10)).run, 30000)


if __name__ == "__main__":
    unittest.main()
