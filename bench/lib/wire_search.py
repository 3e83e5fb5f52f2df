# SPDX-License-Identifier: Apache-2.0
"""The highest rate at which nothing is lost.

A trial is one run at one offered rate. It passes when every message came, each was right, and the device took what was offered: the wire
was not full. What counts is the rate that was reached, not the one that was asked for. A trial is void when something was lost while one of
the two ends was kept from its core, by the host or by another program, for longer than the wire can hold: that says nothing about the device,
and the trial is made again, some times. The search widens until a trial fails, then halves what is between until the bounds are close; then
a run that lasts must confirm it, each time lower until one passes. That run is made of stretches, one right behind the other, so that a host that
stops an end for once spoils a stretch and not all of it: a void stretch is made again; one that fails ends the run."""

HELD_BACK = 0.03  # of all starts
SLACK = 0.8  # of the offered rate, and of the generator's time
LEAST_SHARE = 0.4
WIDEN = 1.5
LOWER_BY = 0.05
CONFIRM_LOWER_BY = 0.02  # after the first run that failed; after the second twice that
STRETCH_S = 4
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
    """An end was away for longer than frames_held last at this rate (two frames to a forwarded message, one each way). What was lost then may have come when it was
    sent again."""
    away_us = max(trial["longest_gap_us"], trial.get("device_away_us", 0))
    return bool(trial["lost"] or trial["repeated"]) and away_us * 1e-6 * trial["rate"] > frames_held / 2


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


def together(trials):
    """Stretches of one run as one trial; all of them passed."""
    seconds = sum(trial["seconds"] for trial in trials)
    whole = {**trials[-1], "seconds": seconds, "stretches": len(trials)}
    for name in ("rate", "busy", "offered"):
        whole[name] = sum(trial[name] * trial["seconds"] for trial in trials) / seconds
    for name in ("late", "started", "skipped", "held_back", "device_away_us"):
        if name in whole:
            whole[name] = sum(trial[name] for trial in trials)
    whole["longest_gap_us"] = max(trial["longest_gap_us"] for trial in trials)
    shares = [trial["device_busy"] for trial in trials if trial.get("device_busy") is not None]
    if shares:
        whole["device_busy"] = sum(shares) / len(shares)
    return whole


class Search:
    """run(rate, seconds) makes a trial. Every trial is kept. widen: how much higher the next one is while none has failed."""

    def __init__(self, run, frames_held=4096, voids=5, widen=WIDEN):
        self.run, self.frames_held, self.voids, self.widen = run, frames_held, voids, widen
        self.trials, self.limit = [], None

    def trial(self, rate, seconds):
        for _ in range(self.voids + 1):
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
        """The best rate of short trials; 0: none passed. Where the generator was not let run as much as it wanted, what it was to offer."""
        low, high, best, rate, fall = 0, None, 0, first, self.widen
        for _ in range(tries):
            trial = self.trial(rate, seconds)
            if trial["passed"]:
                low = rate
                best = max(best, trial["rate"] if trial["held_back"] >= trial["skipped"] else rate)
            else:
                high = rate
            if (high is not None and high - low <= resolution * high) or rate < LEAST:
                break
            if high is None:
                rate *= self.widen
            elif low:
                rate = (low + high) / 2
            elif not trial["lost"] and LEAST < trial["rate"] < rate / 2:
                rate = trial["rate"] * (1 - LOWER_BY)  # what came without loss is a better guess than any share
            else:
                rate, fall = rate / fall, min(2, fall * fall)
        return best

    def above(self, rate):
        """The lowest of the rates above this one at which a trial failed, for whatever reason; what came, where nothing was lost. None: no trial failed."""
        failed = (trial["offered"] if trial["lost"] else trial["rate"] for trial in self.trials if not trial["passed"])
        return min((bound for bound in failed if bound > rate), default=None)

    def confirm(self, rate, seconds, tries=8):
        """A run that lasts. The trial that passed, all of it as one, or None."""
        for failures in range(1, tries + 1):
            stretches, done = [], 0
            while done < seconds:
                trial = self.trial(rate, min(STRETCH_S, seconds))
                if not trial["passed"]:
                    break
                stretches.append(trial)
                done += min(STRETCH_S, seconds)
            if done >= seconds:
                return together(stretches)
            rate *= 1 - CONFIRM_LOWER_BY * failures
        return None
