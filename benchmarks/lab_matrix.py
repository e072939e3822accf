"""How long the whole matrix takes: every scenario against every way, the plain client included, in one lab."""

import anyio

from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.matrix import STANDARD_WAYS, plan, run
from rozaneh.lab.scenario import load_scenario, scenario_files

COMMAND = "python -m benchmarks lab_matrix"

Row = dict[str, object]


def main() -> list[Row]:
    scenarios = [load_scenario(file) for file in scenario_files()]
    cells = plan(scenarios)
    with Lab(world=world_for(scenarios)) as lab:
        matrix = anyio.run(lambda: run(cells, lab))
    asked = len({cell.scenario for cell in cells if cell.way.name == "plain"})
    return [
        _row("matrix: scenarios that the plain client is asked in", asked, "", ">= 35"),
        _row("matrix: ways", len(STANDARD_WAYS), "", ">= 10"),
        _row("matrix: cells", len(cells), ""),
        _row("matrix: cells not as expected", sum(not cell.ok for cell in matrix.cells), "", "== 0"),
        _row("matrix: the whole of it, controls included", matrix.seconds, "s", "< 30"),
    ]


def _row(name: str, value: object, unit: str, target: str = "") -> Row:
    return {"name": name, "value": value, "unit": unit, "command": COMMAND, "target": target}
