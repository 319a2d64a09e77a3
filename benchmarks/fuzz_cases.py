"""What the loops in C bring to `wdfdma fuzz`: cases in a second against those that Hypothesis draws for one driver.

Prints names and values, as the C programs do. Both put the same driver, written in C, through cases of as many moves;
they take turns, processor time is compared, and the median of the rounds' ratios is given.
"""

import statistics
from time import process_time

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from wdfdma.testing.cases import generate_case
from wdfdma.testing.chunks import FuzzReport, make_seed, run_chunk
from wdfdma.testing.drivers import get_driver, run_case

ROUNDS = 5
NATIVE_RUNS = 4000
DRAWN_RUNS = 300


def report(name: str, value: float) -> None:
    print(f"{name}\t{value:.6g}", flush=True)


def time_native(driver: str, number: int) -> tuple[float, FuzzReport]:
    """Seconds of the processor for a case."""
    start = process_time()
    ran = run_chunk(driver, make_seed(1, number), NATIVE_RUNS)
    return (process_time() - start) / ran.runs, ran


def time_drawn(driver: str, number: int) -> float:
    taken = get_driver(driver)
    sizes = [len(generate_case(case)) for case in range(100)]
    runs = 0

    @seed(number)
    @settings(
        max_examples=DRAWN_RUNS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sizes).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
    def draw(case: bytes) -> None:
        nonlocal runs
        run_case(taken, case)
        runs += 1

    start = process_time()
    draw()
    return (process_time() - start) / runs


def main() -> None:
    for driver in ("packet", "scatter-gather", "system"):
        native, ratios, steps = [], [], []
        for number in range(ROUNDS):
            before = time_drawn(driver, number)
            cost, ran = time_native(driver, number)
            drawn = (before + time_drawn(driver, number + ROUNDS)) / 2
            native.append(cost)
            steps.append(ran.steps / ran.runs / cost)
            ratios.append(drawn / cost)
        name = f"fuzz_{driver.replace('-', '_')}"
        report(f"{name}.cases_per_s", 1 / statistics.median(native))
        report(f"{name}.steps_per_s", statistics.median(steps))
        report(f"{name}.of_drawn", statistics.median(ratios))


if __name__ == "__main__":
    main()
