"""Stage `resolve`, before all others: what each of them depends on. `python -m pipelines.resolve`.

artifacts/inputs/ has a file for every stage, of its settings and of the code that its result depends on. A change of
words, of what only tells, of what the settings do not use leaves the file as it is, and the stage need not run.
"""

from pipelines import params
from pipelines.inputs.resolved import file_of, resolve
from pipelines.program import run
from pipelines.project import INPUTS, ROOT, whole_folder
from pipelines.stage import running


def main() -> None:
    """Write artifacts/inputs.

    Raises:
        ParamsError: params.yaml has a mistake.
        StageChanged: settings or code were edited meanwhile.
    """
    for warning in params.absent_roles(params.load()):
        print(f"resolve: {warning}", flush=True)
    with running("resolve"), whole_folder(INPUTS) as folder:
        for stage, inputs in resolve(ROOT).items():
            file = folder / file_of(stage).relative_to(INPUTS)
            file.parent.mkdir(exist_ok=True)
            file.write_text(inputs.text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
