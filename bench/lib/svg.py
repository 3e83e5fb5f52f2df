# SPDX-License-Identifier: Apache-2.0
"""Line plots as SVG: axes with units, each line labelled where it ends, readable on light and on dark ground."""

import math
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 176, 48, 60
# Told apart by lightness too, so that colour is not all there is; dark ground gets lighter ones.
COLOURS = [("#1f6fb2", "#6db3f2"), ("#c2571a", "#f5a366"), ("#2c8a5b", "#6fd3a0"), ("#7d4fb3", "#c3a1ee"), ("#8a6d00", "#e0c24d"), ("#a8325e", "#f08bb0")]
SHAPES = ["circle", "square", "diamond", "triangle", "circle", "square"]
LABEL_PX = 15


def number(value):
    """1500 -> 1,500; 2000000 -> 2 M; 0.25 -> 0.25."""
    if value >= 1e6 and value % 1e5 == 0:
        return f"{value / 1e6:g} M"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:g}"


def linear_ticks(high):
    """From 0 to at least high, in steps of 1, 2 or 5 times a power of ten; about five of them."""
    if high <= 0:
        return [0, 1]
    raw = high / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [round(step * i, 10) for i in range(math.ceil(round(high / step, 9)) + 1)]


def log_ticks(low, high):
    """Powers of ten between low and high, and twice and five times them where that makes but few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        ticks = [factor * 10.0 ** power for power in powers for factor in factors if low <= factor * 10.0 ** power <= high]
        if len(ticks) > 2:
            break
    return ticks or [low, high]


class Axis:
    """Values to pixels."""

    def __init__(self, values, log, start, end):
        self.log, self.start, self.end = log, start, end
        if log:  # a little room at both ends, and no empty decade
            self.low, self.high = min(values) / 1.3, max(values) * 1.3
            self.ticks = log_ticks(self.low, self.high)
        else:
            self.ticks = linear_ticks(max(values))
            self.low, self.high = self.ticks[0], self.ticks[-1]

    def at(self, value):
        low, high, value = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def style():
    def rules(dark):
        ink, faint, soft = (("#e6e6e6", "#444b54", "#a9b1ba") if dark else ("#1c1f23", "#dde1e6", "#5b636d"))
        lines = [f".ink{{fill:{ink}}}", f".soft{{fill:{soft}}}", f".grid{{stroke:{faint}}}", f".axis{{stroke:{soft}}}"]
        for i, pair in enumerate(COLOURS):
            lines.append(f".l{i}{{stroke:{pair[dark]}}}.f{i}{{fill:{pair[dark]}}}")
        return "".join(lines)

    return ("<style>text{font-family:system-ui,sans-serif;font-size:13px}.title{font-size:16px;font-weight:600}"
            f"{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}</style>")


def text(x, y, words, kind="ink", anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def mark(shape, x, y, i):
    if shape == "square":
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" class="f{i}"/>'
    if shape == "diamond":
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z" class="f{i}"/>'
    if shape == "triangle":
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 8.5h-10z" class="f{i}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="f{i}"/>'


def apart(places, least, low, high):
    """Moves labels that would lie on one another; the order stays."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + least)
    if order and moved[order[-1]] > high:
        moved[order[-1]] = high
        for before, after in reversed(list(zip(order, order[1:]))):
            moved[before] = min(moved[before], moved[after] - least)
    return [max(low, place) for place in moved]


def axes(x, y, x_label, y_label):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    out = []
    for tick in y.ticks:
        at = y.at(tick)
        out.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" class="grid"/>')
        out.append(text(LEFT - 8, at + 4, number(tick), "soft", "end"))
    for tick in x.ticks:
        at = x.at(tick)
        out.append(f'<line x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 5}" class="axis"/>')
        out.append(text(at, bottom + 20, number(tick), "soft"))
    out.append(f'<line x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}" class="axis"/>')
    out.append(text((LEFT + right) / 2, HEIGHT - 16, x_label))
    middle = (TOP + bottom) / 2
    out.append(text(18, middle, y_label, more=f' transform="rotate(-90 18 {middle:.1f})"'))
    return out


def plot(title, x_label, y_label, series, log_x=False, log_y=False):
    """series: {name: [[x, y], ...]}; an SVG document. Points that a logarithmic axis cannot hold are left out."""
    lines = {name: sorted(point for point in points if (point[0] > 0 or not log_x) and (point[1] > 0 or not log_y))
             for name, points in series.items()}
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        raise ValueError(f"nothing to plot: {title}")
    x = Axis([point[0] for points in lines.values() for point in points], log_x, LEFT, WIDTH - RIGHT)
    y = Axis([point[1] for points in lines.values() for point in points], log_y, HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{escape(title)}</title>", style(), text(LEFT, 26, title, "ink title", "start"), *axes(x, y, x_label, y_label)]
    labels = apart([y.at(points[-1][1]) for points in lines.values()], LABEL_PX, TOP, HEIGHT - BOTTOM)
    for i, ((name, points), label) in enumerate(zip(lines.items(), labels)):
        colour = i % len(COLOURS)
        way = " ".join(f"{x.at(px):.1f},{y.at(py):.1f}" for px, py in points)
        out.append(f'<polyline points="{way}" fill="none" stroke-width="2" class="l{colour}"/>')
        out += [mark(SHAPES[colour], x.at(px), y.at(py), colour) for px, py in points]
        out.append(text(x.at(points[-1][0]) + 10, label + 4, name, f"f{colour}", "start"))
    return "\n".join([*out, "</svg>"]) + "\n"
