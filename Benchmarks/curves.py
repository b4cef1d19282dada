"""Recall-speed curves as an SVG file for documents: it follows the reader's dark or light scheme by itself."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 470
LEFT, RIGHT, TOP, BOTTOM = 62, 176, 46, 50
LOWEST_RECALL = 0.8
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#646a75}.t{font-size:15px;font-weight:600;fill:#1b1d22}"
    ".g{stroke:#e6e8ec}.b{fill:#fff}path{fill:none;stroke-linejoin:round}"
    "@media(prefers-color-scheme:dark){text{fill:#9aa1ad}.t{fill:#e9eaec}.g{stroke:#2b3038}.b{fill:#15181c}}")


def bend(recall):
    """Stretched towards 1, as on the page."""
    return -math.log(1 - recall + 4e-4)


def across(recall):
    share = (bend(recall) - bend(LOWEST_RECALL)) / (bend(1) - bend(LOWEST_RECALL))
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def short(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def chosen(shown_set, ours):
    """Each engine's best configurations, at most two of one engine but ours, which shows all that are best."""
    kept = []
    for curve in shown_set["curves"]:
        points = [point for point in curve["front"] if point["recall"] >= LOWEST_RECALL]
        if curve["best"] and len(points) > 1:
            kept.append({**curve, "front": points, "ours": curve["engine"] == ours})
    return sorted(kept, key=lambda curve: curve["ours"])


def labels(kept, up):
    """Names beside the right ends, moved apart where they would lie upon each other."""
    ends = sorted(((up(curve["front"][-1]["qps"]), curve) for curve in kept), key=lambda pair: pair[0])
    placed, free = [], TOP
    for y, curve in ends:
        y = max(y, free)
        placed.append((y, curve))
        free = y + 14
    over = max(0, free - 14 - (HEIGHT - BOTTOM))
    return [(y - over, curve) for y, curve in placed]


def drawing(shown_set, shown):
    kept = chosen(shown_set, shown["ours"])
    speeds = [point["qps"] for curve in kept for point in curve["front"]] or [10, 1000]
    low, high = math.log10(min(speeds) * 0.85), math.log10(max(speeds) * 1.2)

    def up(qps):
        return TOP + (high - math.log10(qps)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    title = f"{shown_set['title']}: recall@{shown_set['k']} and queries a second, one thread"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f"<style>{STYLE}</style>", f'<rect class="b" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'<text class="t" x="{LEFT}" y="26">{escape(title)}</text>']
    for recall in (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1):
        x = across(recall)
        parts.append(f'<line class="g" x1="{x:.0f}" x2="{x:.0f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{recall}</text>')
    for value in (digit * 10**power for power in range(0, 7) for digit in (1, 2, 5)):
        if low <= math.log10(value) <= high:
            y = up(value)
            parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{short(value)}</text>')
    parts.append(f'<text x="{LEFT - 44}" y="{TOP - 8}">QPS</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">recall</text>')
    for curve in kept:
        color = shown["colors"].get(curve["engine"], "#888")
        line = "".join(
            f"{'L' if i else 'M'}{across(p['recall']):.1f} {up(p['qps']):.1f}" for i, p in enumerate(curve["front"]))
        parts.append(f'<path d="{line}" stroke="{color}" stroke-width="{3.2 if curve["ours"] else 1.7}"/>')
    for y, curve in labels(kept, up):
        color = shown["colors"].get(curve["engine"], "#888")
        weight = ";font-weight:700" if curve["ours"] else ""
        end = curve["front"][-1]
        parts.append(f'<path d="M{across(end["recall"]):.0f} {up(end["qps"]):.0f}L{WIDTH - RIGHT + 6} {y:.0f}" '
                     f'stroke="{color}" stroke-width=".7" opacity=".5"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 9}" y="{y + 4:.0f}" style="fill:{color};font-size:11px{weight}">'
                     f"{escape(curve['label'].split(', re')[0])}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"
