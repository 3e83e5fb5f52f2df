# SPDX-License-Identifier: Apache-2.0
"""The highest rate at which not one INVITE of a run stays without its 200 in time.

Short runs bracket it; then a long run, which pays for transactions that linger, must hold too, else it is tried again lower. A run that loses
is repeated, since a stop of the whole machine is not the proxy's doing; and the proxy is started anew, since it goes on sending what was lost for
half a minute: for short runs alone, with room for what these leave behind, until a long one is to come. A long run is made of stretches, one right
behind the other, so that what does not hold is seen at once, and a stop spoils a stretch: some may be made again, without a new proxy, which would
have nothing that lingers. All runs are kept."""

from versus_load import LoadError

RISE = 1.25
LOWEST = 100
STRETCH_S = 5
SPARE = 2  # stretches of a long run that may be made again: then a lower rate, in steps that grow
# Before anything is measured: a proxy's first messages touch memory that nothing has touched yet.
WAKE_RATE, WAKE_S = 2000, 0.3


def generator_limits(outcome):
    """It was busy all the while and yet brought about less than was asked for. Where it was stopped instead, its rate is lower and still a rate."""
    return outcome["generator"]["busy"] > 0.9 and outcome["rate"] < 0.95 * outcome["offered"]


def held(outcome):
    return not (generator_limits(outcome) or outcome["lost"] or outcome["late"] or outcome["refused"])


def limit_of(outcome):
    """Whose limit a run was near, as far as its figures tell."""
    return "generator" if outcome["generator"]["busy"] > 0.9 else "proxy"


def cost_us(outcome):
    """CPU per forwarded message: all of the time of a proxy that sleeps when idle; of a worker that spins, whatever it does, that of turns with work. Where it had
    no time to spin, the two are the same but for what the kernel did in its name outside of turns: then all of it counts."""
    cpu = outcome["cpu"]
    return cpu["busy_us"] if cpu.get("busy_share", 1) < 0.9 else cpu["us"]


def against_load(outcomes):
    """[[INVITE/s, us per forwarded message]] of all runs that held, of the searches that found these and of others beside them."""
    points = {}
    for outcome in outcomes:
        for trial in outcome.get("trials", []):
            if trial["held"]:
                points[round(trial["rate"])] = trial["cost_us"]
        points[round(outcome["offered"])] = cost_us(outcome)
    return [list(point) for point in sorted(points.items())]


class Search:
    """session: run(rate, seconds, warmup) gives an outcome, restart(lasting) a fresh proxy, for a long run or for short ones; it comes with one for a
    long run. above: the lowest rate that did not hold."""

    def __init__(self, session, seconds, precision, tries, rise=RISE, long_seconds=0, wake_s=WAKE_S):
        self.wake_s = wake_s
        self.session, self.seconds, self.precision, self.tries, self.rise = session, seconds, precision, tries, rise
        self.long_seconds = long_seconds
        self.trials = []
        self.fresh, self.spoilt, self.lasting = True, False, True
        self.above = None

    def ready(self, lasting=False):
        """A proxy that has nothing left to send of a run that lost, and is awake; lasting: one that takes a long run."""
        if self.spoilt or (lasting and not self.lasting):
            self.session.restart(lasting)
            self.lasting, self.fresh = lasting, True
        if self.fresh:
            self.session.run(WAKE_RATE, self.wake_s, 0)
        self.fresh = self.spoilt = False

    def once(self, rate, seconds):
        """The outcome of a run."""
        outcome = self.session.run(rate, seconds, 0)
        self.trials.append({"rate": rate, "seconds": seconds, "sent": outcome["sent"], "lost": outcome["lost"], "late": outcome["late"],
                            "refused": outcome["refused"], "held": held(outcome), "limit": limit_of(outcome),
                            "generator": outcome["generator"], "cpu_us": outcome["cpu"]["us"], "cost_us": cost_us(outcome)})
        if outcome["broken"]:
            raise LoadError(f"{outcome['broken']} messages came out that were not as they should be: {outcome['words']}")
        return outcome

    def failed(self, rate):
        self.above = min(rate, self.above or rate)

    def holds(self, rate, seconds):
        """The outcome of the run that held, or None."""
        for _ in range(self.tries):
            self.ready()
            outcome = self.once(rate, seconds)
            if held(outcome):
                return outcome
            self.spoilt = True
        self.failed(rate)
        return None

    def lasts(self, rate):
        """The outcome of the last stretch of a long run that held, or None. What it cost is that of a proxy with all that lingers."""
        self.ready(lasting=True)
        spare, left = SPARE, self.long_seconds
        while left > 0:
            outcome = self.once(rate, STRETCH_S)
            if held(outcome):
                left -= STRETCH_S
            elif spare:
                spare -= 1
            else:
                self.spoilt = True
                self.failed(rate)
                return None
        return outcome

    def bracket(self, guess):
        """(the highest that held, the lowest that did not, the outcome of the first)."""
        low, high, best, rate = 0, None, None, guess
        while high is None or not low:
            outcome = self.holds(rate, self.seconds)
            if outcome:
                low, best, rate = rate, outcome, rate * self.rise
            else:
                high, rate = rate, rate / self.rise
            if rate < LOWEST:
                raise LoadError("messages are lost at any rate")
        while high / low > (1 + self.precision) * 1.001:
            middle = (low * high) ** 0.5
            outcome = self.holds(middle, self.seconds)
            low, high, best = (middle, high, outcome) if outcome else (low, middle, best)
        return low, best

    def run(self, guess):
        low, best = self.bracket(guess)
        rate, lower = low, 1 + self.precision
        while self.long_seconds:
            outcome = self.lasts(rate)
            if outcome:
                return outcome
            rate, lower = rate / lower, lower * (1 + self.precision)
            if rate < low / 3:
                raise LoadError("messages are lost in every long run")
        return best
