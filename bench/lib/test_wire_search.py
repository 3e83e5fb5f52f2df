# SPDX-License-Identifier: Apache-2.0
"""The search for the highest rate at zero loss, against devices that are known."""

import unittest

from wire_search import Search, passed, void, why


def trial(offered, **changes):
    return {"offered": offered, "rate": offered, "seconds": 1, "lost": 0, "wrong": 0, "repeated": 0, "late": 0, "started": offered, "skipped": 0, "held_back": 0,
            "busy": 0.5, "statuses_bad": 0, "longest_gap_us": 10, **changes}


def loses_above(limit):
    return lambda rate, seconds: trial(rate, lost=0 if rate <= limit else 7)


def holds_back_above(limit):
    """Memif: the device takes so much, and nothing is lost."""
    return lambda rate, seconds: trial(rate, rate=min(rate, limit), held_back=max(0, rate - limit))


class Rules(unittest.TestCase):
    def test_what_passes(self):
        rows = [
            ("all came", trial(1000), True),
            ("one was lost", trial(1000, lost=1), False),
            ("one was wrong", trial(1000, wrong=1), False),
            ("one came twice", trial(1000, repeated=1), False),
            ("one of the trial before came now", trial(1000, late=1), True),
            ("the host stopped the generator a little", trial(1000, rate=900, skipped=100), True),
            ("the host stopped the generator often", trial(1000, rate=500, skipped=500), True),
            ("the host hardly let it run", trial(1000, rate=300, skipped=700), False),
            ("the generator cannot make so many", trial(1000, rate=700, skipped=300, busy=0.99), False),
            ("the device takes less than is offered", trial(1000, rate=900, started=900, held_back=100), False),
            ("the wire was full for a moment", trial(1000, rate=990, started=990, held_back=10), True),
        ]
        for what, row, expected in rows:
            with self.subTest(what):
                self.assertEqual(passed(row), expected)

    def test_void(self):
        self.assertTrue(void(trial(1e6, lost=5, longest_gap_us=5000), 4096))
        self.assertFalse(void(trial(1e6, lost=5, longest_gap_us=1000), 4096))
        self.assertFalse(void(trial(1e6, longest_gap_us=50000), 4096))
        self.assertTrue(void(trial(1e6, lost=5, device_away_us=5000), 4096))
        self.assertTrue(void(trial(1e6, repeated=5, device_away_us=5000), 4096))

    def test_why(self):
        self.assertIn("refused", why(trial(1, statuses_bad=1, wrong=1, lost=1)))
        self.assertIn("loss", why(trial(1, lost=1, device_busy=0.99)))
        self.assertIn("device 99%", why(trial(1, lost=1, device_busy=0.99)))
        self.assertIn("device takes no more", why(trial(10, held_back=5)))
        self.assertIn("generator makes no more", why(trial(10, skipped=5, busy=0.99)))
        self.assertIn("kept from its core", why(trial(10, skipped=5, busy=0.4)))


class Searches(unittest.TestCase):
    def test_bracket(self):
        for device in (loses_above, holds_back_above):
            for limit in (900, 50e3, 123456, 400e3, 2.2e6):
                for first, widen in ((10e3, 1.5), (400e3, 1.5), (5e6, 1.5), (limit * 1.02, 1.1), (limit * 0.98, 1.1)):
                    with self.subTest(device=device.__name__, limit=limit, first=first):
                        search = Search(device(limit), widen=widen)
                        best = search.bracket(first, 1, 0.03)
                        self.assertLessEqual(best, limit * 1.001)
                        self.assertGreaterEqual(best, limit * 0.95)
                        if device is loses_above:
                            self.assertGreater(search.above(best), limit)
                            self.assertLess(search.above(best), limit / 0.95)
                        self.assertLess(len(search.trials), 25 if widen > 1.1 else 6)

    def test_nothing_passes(self):
        search = Search(loses_above(0))
        self.assertEqual(search.bracket(100e3, 1, 0.03), 0)
        self.assertLess(len(search.trials), 15)

    def test_confirm_goes_down(self):
        search = Search(loses_above(900))
        last = search.confirm(1000, 30)
        self.assertTrue(last["passed"])
        self.assertLessEqual(last["rate"], 900)
        self.assertGreater(last["rate"], 850)
        self.assertIsNone(Search(loses_above(0)).confirm(1000, 30))

    def test_confirm_lasts(self):
        search = Search(lambda rate, seconds: trial(rate, seconds=seconds, device_busy=0.5, longest_gap_us=len(search.trials)))
        last = search.confirm(1000, 36)
        self.assertEqual((last["seconds"], last["stretches"], last["rate"], last["longest_gap_us"], last["device_busy"]), (36, 9, 1000, 8, 0.5))
        self.assertEqual(Search(lambda rate, seconds: trial(rate, seconds=seconds)).confirm(1000, 0.3)["seconds"], 0.3)

    def test_a_stretch_that_fails_ends_the_run(self):
        search = Search(lambda rate, seconds: trial(rate, seconds=seconds, lost=1 if len(search.trials) == 3 else 0))
        last = search.confirm(1000, 36)
        self.assertEqual(last["rate"], 980)
        self.assertEqual(len(search.trials), 4 + 9)

    def test_a_void_stretch_is_made_again(self):
        search = Search(lambda rate, seconds: trial(rate, seconds=seconds, **({"lost": 9, "longest_gap_us": 9e6} if len(search.trials) == 3 else {})))
        last = search.confirm(1000, 36)
        self.assertEqual((last["rate"], last["seconds"], len(search.trials)), (1000, 36, 10))

    def test_void_trials_are_made_again(self):
        answers = [trial(1e6, lost=9, longest_gap_us=9000), trial(1e6, lost=9, longest_gap_us=9000), trial(1e6)]
        search = Search(lambda rate, seconds: answers[len(search.trials)])
        self.assertTrue(search.trial(1e6, 1)["passed"])
        self.assertEqual([kept["void"] for kept in search.trials], [True, True, False])
        self.assertIsNone(search.limit)


if __name__ == "__main__":
    unittest.main()
