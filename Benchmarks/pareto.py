"""Queries a second at a given recall, from a sweep."""

import math
import statistics

TARGETS = (0.95, 0.98, 0.99)


def front(points):
    """The points (recall, speed) that no other beats in both, by ascending recall."""
    best, kept = -math.inf, []
    for recall, speed in sorted(points, key=lambda point: (-point[0], -point[1])):
        if speed > best:
            kept.append((recall, speed))
            best = speed
    return kept[::-1]


def speed_at(points, recall):
    """The speed at a recall, along the front: linear in recall and in the logarithm of speed between two neighbours.

    None when no point reaches it. Where the whole front lies above it, the fastest point: nothing is extrapolated.
    """
    line = front(points)
    if not line or line[-1][0] < recall:
        return None
    before = None
    for point in line:
        if point[0] >= recall:
            if before is None or point[0] == recall:
                return point[1]
            share = (recall - before[0]) / (point[0] - before[0])
            return math.exp(math.log(before[1]) * (1 - share) + math.log(point[1]) * share)
        before = point
    return None


def rounds_at(points, recall):
    """The same for each round: `points` are (recall, [speed of each round])."""
    rounds = min((len(speeds) for _, speeds in points), default=0)
    found = [speed_at([(r, speeds[i]) for r, speeds in points], recall) for i in range(rounds)]
    return None if not found or None in found else found


def ratio(ours, theirs):
    """The median of the ratios of the runs of one round."""
    if not ours or not theirs:
        return None
    return statistics.median(a / b for a, b in zip(ours, theirs))
