# SPDX-License-Identifier: Apache-2.0
"""The highest rate at which nothing is lost.

A trial is one run at one offered rate. It passes when every message came, each was right, and the device took what was offered: the wire
was not full. What counts is the rate that was reached, not the one that was asked for. A trial is void when something was lost while one of
the two ends was kept from its core, by the host or by another program, for longer than the wire can hold: that says nothing about the device,
and the trial is made again, some times. The search widens until a trial fails, then halves what is between until the bounds are close; then
a run that lasts must confirm it, each time a little lower until one passes."""

HELD_BACK = 0.03  # of all starts
SLACK = 0.8  # of the offered rate, and of the generator's time
LEAST_SHARE = 0.4
VOIDS_MAX_LONG = 2
WIDEN = 1.5
LOWER = 0.95
LEAST = 500  # a device that cannot do so much is broken


def wrong(trial):
    """Late ones are not: they belong to trials before."""
    return trial["wrong"] + trial["repeated"]


def offered_enough(trial):
    """A generator that was let run too little still offered what it could; one that was busy all the time has come to its own end."""
    return trial["rate"] >= (LEAST_SHARE if trial["busy"] < SLACK else SLACK) * trial["offered"]


def passed(trial):
    return (not trial["lost"] and not wrong(trial) and offered_enough(trial) and
            trial["held_back"] <= HELD_BACK * (trial["started"] + trial["held_back"]))


def void(trial, frames_held):
    """An end was away for longer than frames_held last at this rate (two frames to a forwarded message, one each way)."""
    away_us = max(trial["longest_gap_us"], trial.get("device_away_us", 0))
    return bool(trial["lost"]) and away_us * 1e-6 * trial["rate"] > frames_held / 2


def why(trial):
    """What ended the rise, in words."""
    device = trial.get("device_busy")
    ends = f"the generator {trial['busy']:.0%} busy" + ("" if device is None else f", the device {device:.0%}")
    if trial["statuses_bad"]:
        return f"the device refused calls; {ends}"
    if wrong(trial):
        return f"wrong messages; {ends}"
    if trial["lost"]:
        return f"loss; {ends}"
    if trial["held_back"] > trial["skipped"]:
        return f"the device takes no more; {ends}"
    if trial["busy"] < SLACK:
        return f"the generator was kept from its core; {ends}"
    return f"the generator makes no more; {ends}"


class Search:
    """run(rate, seconds) makes a trial. Every trial is kept."""

    def __init__(self, run, frames_held=4096, voids=5):
        self.run, self.frames_held, self.voids = run, frames_held, voids
        self.trials, self.limit = [], None

    def trial(self, rate, seconds, voids=None):
        for _ in range((self.voids if voids is None else voids) + 1):
            trial = self.run(rate, seconds)
            trial["void"] = void(trial, self.frames_held) and not passed(trial)
            trial["passed"] = passed(trial)
            self.trials.append(trial)
            if not trial["void"]:
                break
        if not trial["passed"]:
            self.limit = why(trial)
        return trial

    def bracket(self, first, seconds, resolution, tries=40):
        """The best rate of short trials; 0: none passed."""
        low, high, best, rate = 0, None, 0, first
        for _ in range(tries):
            trial = self.trial(rate, seconds)
            if trial["passed"]:
                low, best = rate, max(best, trial["rate"])
            else:
                high = rate
            if (high is not None and high - low <= resolution * high) or rate < LEAST:
                break
            if high is None:
                rate *= WIDEN
            elif not low and not trial["lost"] and LEAST < trial["rate"] * LOWER < rate / 2:
                rate = trial["rate"] * LOWER  # what came without loss is a better guess than the middle
            else:
                rate = (low + high) / 2
        return best

    def confirm(self, rate, seconds, tries=8):
        """A run that lasts. The trial that passed, or None."""
        for _ in range(tries):
            trial = self.trial(rate, seconds, min(self.voids, VOIDS_MAX_LONG))
            if trial["passed"]:
                return trial
            rate *= LOWER
        return None
