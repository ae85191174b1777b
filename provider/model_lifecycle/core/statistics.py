"""The few formulas that drift and quality rest on, closed form and deterministic, each with its source.

They are written out here, and proven against scipy in the tests, because scipy takes a second to import and 100 MB to
install, and would be needed on every worker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist


def normal_quantile(confidence: float) -> float:
    """The z for which a normal value lies within ±z with that probability: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(successes: float, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a share, seen ``successes`` times in ``trials`` (Wilson 1927, J. Am. Stat. Assoc. 22:209).

    It holds for few trials and near 0 and 1, where the normal interval has no width.
    """
    if trials <= 0:
        return 0.0, 1.0
    z2 = normal_quantile(1 - alpha) ** 2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))


def ks_distance(reference: Sequence[int], current: Sequence[int]) -> float:
    """The Kolmogorov-Smirnov distance D of two samples counted in the same ordered cells.

    D is the largest gap between the two cumulative shares at the cells' borders; it can miss at most the share of
    the reference that its fullest cell holds.
    """
    n, m = sum(reference), sum(current)
    gap, left, right = 0.0, 0, 0
    for one, other in zip(reference, current, strict=True):
        left, right = left + one, right + other
        gap = max(gap, abs(left / n - right / m))
    return gap


def ks_p_value(distance: float, n: int, m: int) -> float:
    """The chance of a distance this large or larger between two samples of one continuous distribution.

    Kolmogorov's limit with the correction of Stephens (1970, J. R. Stat. Soc. B 32:115) for finite samples.
    """
    root = math.sqrt(n * m / (n + m))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:  # the alternating series is slow here, and its sum is 1 to twelve digits
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


def chi2_p_value(statistic: float, degrees: int) -> float:
    """The upper tail of the chi-squared distribution for whole degrees of freedom.

    The finite sums of Abramowitz and Stegun (1964), 26.4.4 for odd and 26.4.5 for even degrees.
    """
    if statistic <= 0 or degrees < 1:
        return 1.0
    half = statistic / 2
    terms = [math.erfc(math.sqrt(half))] if degrees % 2 else []
    power = (degrees % 2) / 2
    while power <= degrees / 2 - 1:
        terms.append(math.exp(power * math.log(half) - half - math.lgamma(power + 1)))
        power += 1
    return min(1.0, math.fsum(terms))


def homogeneity_p_value(reference: Sequence[int], current: Sequence[int]) -> float:
    """The p-value of :func:`homogeneity`."""
    return chi2_p_value(*homogeneity(reference, current))


def homogeneity(reference: Sequence[int], current: Sequence[int]) -> tuple[float, int]:
    """Pearson's chi-squared, and its degrees of freedom, of two samples that should have the same shares of each cell.

    Cells that expect fewer than five rows on either side are pooled first (Cochran 1954, Biometrics 10:417).
    """
    n, m = sum(reference), sum(current)
    cells = _pooled(list(zip(reference, current, strict=True)), least=5 * (n + m) / min(n, m))
    statistic = 0.0
    for one, other in cells:
        total = one + other
        expected = total * n / (n + m)
        statistic += (one - expected) ** 2 / expected + (other - (total - expected)) ** 2 / (total - expected)
    return statistic, len(cells) - 1


def _pooled(cells: list[tuple[int, int]], least: float) -> list[tuple[int, int]]:
    common = [cell for cell in cells if sum(cell) >= least]
    rare = [cell for cell in cells if 0 < sum(cell) < least]
    pool = (sum(one for one, _ in rare), sum(other for _, other in rare))
    if common and 0 < sum(pool) < least:  # what was pooled is itself too small: it joins the smallest common cell
        smallest = min(common, key=sum)
        common.remove(smallest)
        pool = (pool[0] + smallest[0], pool[1] + smallest[1])
    return [*common, pool] if sum(pool) else common


def jensen_shannon(reference: Sequence[int], current: Sequence[int]) -> float:
    """The Jensen-Shannon distance in base 2: 0 for equal shares, 1 for shares that never meet (Lin 1991)."""
    return math.sqrt(_divergence(reference, current))


def jensen_shannon_beyond_chance(reference: Sequence[int], current: Sequence[int]) -> float:
    """The Jensen-Shannon distance less what two samples of these sizes show of themselves.

    The divergence of two samples of one distribution over k cells is about (k - 1) (1/n + 1/m) / (8 ln 2), as it is
    a scaled chi-squared (Grosse et al. 2002, Phys. Rev. E 65:041905). Without this, a column of a hundred categories
    shows 0.19 at 500 rows when nothing has changed.
    """
    n, m = sum(reference), sum(current)
    cells = sum(1 for one, other in zip(reference, current, strict=True) if one or other)
    chance = (cells - 1) * (1 / n + 1 / m) / (8 * math.log(2))
    return math.sqrt(max(0.0, _divergence(reference, current) - chance))


def _divergence(reference: Sequence[int], current: Sequence[int]) -> float:
    n, m = sum(reference), sum(current)
    parts = []
    for one, other in zip(reference, current, strict=True):
        p, q = one / n, other / m
        parts += [share * math.log2(2 * share / (p + q)) / 2 for share in (p, q) if share > 0]
    return min(1.0, max(0.0, math.fsum(parts)))


def population_stability(reference: Sequence[int], current: Sequence[int]) -> float:
    """The population stability index, sum of (q - p) ln(q / p) (Siddiqi 2006), half a row added to each cell.

    People read it in bands of 0.1 and 0.25. It decides nothing here: it misses a shift of 0.3 standard deviations.
    """
    cells = len(reference)
    n, m = sum(reference) + cells / 2, sum(current) + cells / 2
    shares = (((one + 0.5) / n, (other + 0.5) / m) for one, other in zip(reference, current, strict=True))
    return math.fsum((q - p) * math.log(q / p) for p, q in shares)


def adjust(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for having asked many questions at once (Benjamini and Hochberg 1995), in the same order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index], reverse=True)
    adjusted, least = [1.0] * len(p_values), 1.0
    for passed, index in enumerate(order):
        least = min(least, p_values[index] * len(p_values) / (len(p_values) - passed))
        adjusted[index] = least
    return adjusted
